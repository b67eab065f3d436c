package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/services/pace"
)

// streamCollector asks the bus for the state of its streams when it is scraped, and
// knows how they filled up.
type streamCollector struct {
	bus events.Bus

	mu    sync.Mutex // guards paces
	paces map[string]*pace.Pace
}

func newStreamCollector(bus events.Bus) *streamCollector {
	return &streamCollector{bus: bus, paces: map[string]*pace.Pace{}}
}

// lookAtStreams is how often the streams are looked at beside what is scraped.
const lookAtStreams = time.Minute

// follow looks how the streams fill up, until ctx ends.
func (c *streamCollector) follow(ctx context.Context) {
	look := time.NewTicker(lookAtStreams)
	defer look.Stop()
	for {
		for _, s := range events.Topology() {
			limited, cancel := context.WithTimeout(ctx, healthTimeout)
			info, err := c.bus.Log().Info(limited, s.Subjects[0])
			cancel()
			if err == nil {
				c.note(s.Name, info, time.Now())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (c *streamCollector) note(stream string, info events.StreamInfo, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paces[stream] == nil {
		c.paces[stream] = &pace.Pace{}
	}
	c.paces[stream].Note(now, float64(info.Bytes))
}

// fullIn returns when a stream is full. A ring makes room by itself.
func (c *streamCollector) fullIn(s *events.Stream, info events.StreamInfo) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.paces[s.Name]
	if p == nil || s.Ring || info.MaxBytes == 0 {
		return 0, false
	}
	return p.FullIn(float64(info.MaxBytes))
}

const missingHelp = "Copies of a stream that are not current, or that it lacks though the cluster has room for them."

const fullHelp = "When a stream is full, at the pace of the last six hours at most; not there while it does not fill up."

func streamDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("apollo_stream_"+name, help, []string{"stream"}, nil)
}

// Describe implements prometheus.Collector.
func (c *streamCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- streamDesc("messages", "Messages that a stream holds.")
	ch <- streamDesc("bytes", "Bytes that a stream holds.")
	ch <- streamDesc("max_bytes", "Limit of a stream in bytes.")
	ch <- streamDesc("full_seconds", fullHelp)
	ch <- streamDesc("missing_copies", missingHelp)
}

// Collect implements prometheus.Collector. Streams that cannot be asked are
// left out; /healthz says why.
func (c *streamCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	for _, s := range events.Topology() {
		info, err := c.bus.Log().Info(ctx, s.Subjects[0])
		if err != nil {
			continue
		}
		if left, ok := c.fullIn(&s, info); ok {
			ch <- prometheus.MustNewConstMetric(streamDesc("full_seconds", fullHelp), prometheus.GaugeValue, left.Seconds(), s.Name)
		}
		missing := max(info.Copies, info.Wanted) - info.Current
		ch <- prometheus.MustNewConstMetric(streamDesc("missing_copies", missingHelp), prometheus.GaugeValue, float64(missing), s.Name)
		for _, v := range []struct {
			desc  *prometheus.Desc
			value uint64
		}{
			{streamDesc("messages", "Messages that a stream holds."), info.Messages},
			{streamDesc("bytes", "Bytes that a stream holds."), info.Bytes},
			{streamDesc("max_bytes", "Limit of a stream in bytes."), info.MaxBytes},
		} {
			ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, float64(v.value), s.Name)
		}
	}
}
