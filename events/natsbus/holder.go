package natsbus

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder is the process that has, or had last, a data directory. The lock file
// holds it, so that others can say whom they wait for.
type Holder struct {
	PID int
	// Host is where it runs: directories are shared between machines and
	// containers.
	Host string
	// Command is what it was started as, without secrets.
	Command string
	// Brief says that it is a command that ends in a moment.
	Brief bool
}

// HolderOf reads who has a data directory; ok is false when nobody wrote it
// down.
func HolderOf(dir string) (h Holder, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		return h, false
	}
	lines := strings.SplitN(strings.TrimSuffix(string(text), "\n"), "\n", 4)
	if len(lines) < 3 {
		return h, false
	}
	pid, err := strconv.Atoi(lines[0])
	return Holder{pid, lines[1], lines[2], len(lines) > 3 && lines[3] == brief}, err == nil && pid > 0
}

// brief is the last line of the lock file of a command that ends in a moment.
const brief = "brief"

// hold writes this process into the lock file. A directory that is full keeps nobody
// from starting.
func hold(conf *ServerConfig) {
	host, _ := os.Hostname()
	text := fmt.Sprintf("%d\n%s\n%s\n", os.Getpid(), host, conf.Command)
	if conf.Brief {
		text += brief + "\n"
	}
	_ = os.WriteFile(filepath.Join(conf.Dir, lockFile), []byte(text), 0o600)
}

// String names the process.
func (h Holder) String() string {
	text := "process " + strconv.Itoa(h.PID)
	if !h.local() {
		text += " on " + h.Host
	}
	if h.Command != "" {
		text += " (" + h.Command + ")"
	}
	return text
}

func (h Holder) local() bool {
	host, err := os.Hostname()
	return err == nil && host == h.Host
}

// Stopped reports whether the process is known to be stopped, as by Ctrl-Z or
// SIGSTOP. Only Linux tells.
func (h Holder) Stopped() bool {
	if !h.local() {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.PID))
	// The state stands after the name, which is in brackets and may hold any.
	end := bytes.LastIndexByte(stat, ')')
	return err == nil && end >= 0 && bytes.HasPrefix(stat[end:], []byte(") T"))
}
