package dashboard

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/inspect"
	"apollo/services/servicestest"
)

// The files hold every trial as the log has it: answers that came in another order, a
// trial that was measured anew, and one that still runs, which CSV alone has.
func TestExport(t *testing.T) {
	t.Parallel()
	const answered = 20
	server, bus := site(t, answered)
	for i := range 3 { // 20 and 21 are answered the wrong way round, 22 is not
		p := proposal(spec(), answered+i)
		if i == 1 {
			p.Voids, p.Origins, p.Added = []int{9}, []string{events.RetryOrigin(9)}, true
		}
		publish(t, bus, uint64(100+i), p)
	}
	for _, batch := range []int{answered + 1, answered} {
		m := events.Message{Subject: events.ResultSubject("fake", "demo", servicestest.Run, batch), ID: fmt.Sprint("late", batch), Data: encoded(t, measured(batch))}
		if _, err := bus.Facts().Record(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for tries := 0; ; tries++ {
		if _, body := get(t, server.URL+"/api/v1/studies/demo"); strings.Contains(body, `"trials":22`) && strings.Contains(body, `"voided":1`) {
			break
		}
		if tries > 2000 {
			t.Fatal("never: 22 trials, 1 voided")
		}
	}
	r, body := get(t, server.URL+"/api/v1/studies/demo/trials.csv")
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Content-Disposition"), `filename="demo-`+servicestest.Run+`.csv"`) {
		t.Errorf("status %d, headers %v", r.StatusCode, r.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 1+answered+3 || !slices.Equal(rows[0], inspect.TrialHead(spec())) {
		t.Fatalf("%d rows, head %v, error %v", len(rows), rows[0], err)
	}
	at := slices.Index(rows[0], "latency_s")
	for i, row := range rows[1:] {
		want, value := events.OutcomeMeasured, strconv.FormatFloat(latency(i), 'g', -1, 64)
		switch {
		case i == 9:
			want, value = "voided", ""
		case i == answered+2:
			want, value = "running", ""
		case measured(i).Trials[0].Outcome == events.OutcomeInfeasible:
			want, value = events.OutcomeInfeasible, ""
		}
		if row[0] != strconv.Itoa(i) || row[1] != want || row[at] != value {
			t.Errorf("row %d: %v, want %s with latency %q", i, row, want, value)
		}
	}
	_, body = get(t, server.URL+"/api/v1/studies/demo/trials.parquet")
	n := 0
	for row, err := range archiver.Scan(fstest.MapFS{"demo.parquet": {Data: []byte(body)}}, archiver.Query{Globs: []string{"demo.parquet"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Trial != int64(n) || row.Study != "demo" || row.Run != servicestest.Run || row.Outcome == events.OutcomeMeasured && row.Metric("latency_s") != latency(n) {
			t.Errorf("row %d is %+v", n, row)
		}
		n++
	}
	if n != answered+2 {
		t.Errorf("the Parquet file has %d trials, want %d", n, answered+2)
	}
}
