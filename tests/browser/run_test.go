package browser

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// besideARun looks at the dashboard of `apollo run --web`, and whether it ends with the run.
func besideARun(t *testing.T, browser context.Context, a *apollo) {
	const trials = 4000
	c := exec.CommandContext(t.Context(), a.binary, "run", "../../examples/mobilenetv2-6p8.yaml", "--data", t.TempDir(), "--web=127.0.0.1:0",
		"--set", "metadata.name=beside", "--set", "spec.algorithm.name=random", "--set", fmt.Sprintf("spec.budget.trials=%d", trials))
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, address := bufio.NewScanner(said), ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "dashboard on http://")
	}
	go func() {
		for lines.Scan() {
		}
	}()
	// The page is there as soon as the study is accepted.
	for began := time.Now(); !found(t, "http://"+address+"/studies/beside"); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the study has no page")
		}
	}
	p := open(t, browser)
	p.away(true) // it goes
	p.visit("http://" + address + "/studies/beside")
	p.wait(`Number(document.querySelector('#trials')?.textContent.replaceAll(',', '')) > 0`)
	if err := c.Wait(); err != nil {
		t.Fatalf("apollo run: %v", err)
	}
	dial := net.Dialer{Timeout: time.Second}
	if conn, err := dial.DialContext(t.Context(), "tcp", address); err == nil {
		conn.Close()
		t.Error("the dashboard is there after the run has ended")
	}
	p.wait(`document.querySelector('#link').textContent.startsWith('Not connected')`)
}

// found reports whether there is a page at an address.
func found(t *testing.T, address string) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
