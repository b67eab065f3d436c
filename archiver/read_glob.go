package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// expand returns the files that match a pattern with *, ?, […] and ** (any
// number of folders), in ascending order. Names that begin with "." are never
// matched: they are unfinished or set aside.
func expand(fsys fs.FS, pattern string) ([]string, error) {
	pattern = path.Clean(pattern)
	if !fs.ValidPath(pattern) {
		return nil, fmt.Errorf("pattern %q: want a path below the folder, not one that begins with / or holds a .. part", pattern)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	var found []string
	err := walk(fsys, ".", strings.Split(pattern, "/"), 0, &found)
	slices.Sort(found)
	return slices.Compact(found), err
}

// maxDepth bounds ** against folders that contain themselves through links.
const maxDepth = 32

func walk(fsys fs.FS, dir string, parts []string, depth int, found *[]string) error {
	if depth > maxDepth {
		return nil
	}
	part, rest := parts[0], parts[1:]
	if part == "**" && len(rest) > 0 {
		if err := walk(fsys, dir, rest, depth+1, found); err != nil {
			return err
		}
	}
	if !strings.ContainsAny(part, `*?[\`) {
		return visit(fsys, path.Join(dir, part), parts, depth, found)
	}
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		match := part == "**"
		if !match {
			match, _ = path.Match(part, e.Name())
		}
		if !match || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := visit(fsys, path.Join(dir, e.Name()), parts, depth, found); err != nil {
			return err
		}
	}
	return nil
}

// visit goes on from a name that matches the first part.
func visit(fsys fs.FS, name string, parts []string, depth int, found *[]string) error {
	info, err := fs.Stat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	deep := parts[0] == "**"
	switch {
	case info.IsDir() && deep:
		return walk(fsys, name, parts, depth+1, found)
	case info.IsDir() && len(parts) > 1:
		return walk(fsys, name, parts[1:], depth+1, found)
	case info.Mode().IsRegular() && len(parts) == 1:
		*found = append(*found, name)
	}
	return nil
}
