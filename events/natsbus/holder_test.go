package natsbus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who finds a directory taken is told by whom; old lock files say nothing.
func TestHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if h, known := HolderOf(dir); known {
		t.Errorf("HolderOf() of a new directory = %v, want nobody", h)
	}
	server, err := StartServer(ServerConfig{Dir: dir, Command: "apollo trial ask a", Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	h, known := HolderOf(dir)
	if !known || h.PID != os.Getpid() || h.Stopped() || !strings.HasSuffix(h.String(), " (apollo trial ask a)") || !h.Brief {
		t.Errorf("HolderOf() = %v, %t, stopped %t; want this process, which is brief and not stopped", h, known, h.Stopped())
	}
	_, err = StartServer(ServerConfig{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), h.String()) {
		t.Errorf("a second server: %v, want an error with %q", err, h)
	}
	for _, text := range []string{"", "x\ny\nz\n", "0\nhost\nc\n", "17\n"} {
		old := t.TempDir()
		if err := os.WriteFile(filepath.Join(old, lockFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if h, known := HolderOf(old); known {
			t.Errorf("HolderOf() of %q = %v, want nobody", text, h)
		}
	}
	if got := (Holder{PID: 7, Host: "elsewhere.example", Command: "apollo up"}).String(); got != "process 7 on elsewhere.example (apollo up)" {
		t.Errorf("String() = %q", got)
	}
}
