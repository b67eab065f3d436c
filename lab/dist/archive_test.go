package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"testing"
	"time"
)

// The same files give the same bytes, whenever and wherever they are packed,
// and come out as they went in.
func TestArchivesAreReproducible(t *testing.T) {
	t.Parallel()
	files := []file{{"apollo", []byte("program"), true}, {"completions/apollo.bash", []byte("words"), false}}
	at := time.Unix(1790000000, 0)
	for _, name := range []string{"apollo-1-linux-amd64.tar.gz", "apollo-1-windows-amd64.zip"} {
		var one, two bytes.Buffer
		for buf, when := range map[*bytes.Buffer]time.Time{&one: at, &two: at.In(time.FixedZone("elsewhere", 3600))} {
			if err := pack(buf, name, files, when); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("%s has other bytes when it is packed again", name)
		}
		var later bytes.Buffer
		if err := pack(&later, name, files, at.Add(time.Hour)); err != nil || bytes.Equal(one.Bytes(), later.Bytes()) {
			t.Errorf("%s does not hold the time of its commit (%v)", name, err)
		}
		got := map[string]string{}
		if name[len(name)-3:] == "zip" {
			z, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(r)
				got[f.Name] = string(b)
			}
		} else {
			z, err := gzip.NewReader(&one)
			if err != nil {
				t.Fatal(err)
			}
			for r := tar.NewReader(z); ; {
				h, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(r)
				got[h.Name] = string(b)
				if h.Name == "apollo-1-linux-amd64/apollo" && h.Mode != 0o755 {
					t.Errorf("the program has the mode %o", h.Mode)
				}
			}
		}
		folder := name[:len("apollo-1-linux-amd64")]
		if name[len(name)-3:] == "zip" {
			folder = "apollo-1-windows-amd64"
		}
		if len(got) != 2 || got[folder+"/apollo"] != "program" || got[folder+"/completions/apollo.bash"] != "words" {
			t.Errorf("%s holds %q", name, got)
		}
	}
}
