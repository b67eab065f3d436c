package storage

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// leaseTime is how long after its last sign an archiver counts as gone, by
	// the store's clock, and leaseEvery how often it gives one. The lease only
	// spares two archivers each other's work: that nothing is stored wrong rests
	// on the journal.
	leaseTime  = 15 * time.Second
	leaseEvery = leaseTime / 4
)

// lease is the object by which an archiver says that it works.
type lease struct {
	Writer string `json:"writer"`
	Host   string `json:"host,omitempty"`
	PID    int    `json:"pid"`
	// Sign makes each of them another object.
	Sign int `json:"sign"`
}

const leaseName = Root + "/.lock"

// Lock implements Storage.
func (b *bucket) Lock() (func(), error) {
	mine := lease{Writer: rand.Text(), PID: os.Getpid()}
	mine.Host, _ = os.Hostname() // for people
	content, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	etag, err := b.send(leaseName, content, condition{not: "*"})
	if errors.Is(err, errPrecondition) {
		etag, err = b.takeOver(content)
	}
	if err == nil {
		err = b.checkConditions(etag)
	}
	if errors.Is(err, fs.ErrNotExist) { // given back meanwhile: the next try may get it
		err = fmt.Errorf("%w: %s", ErrHeld, b.Path(Root))
	}
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	var signs sync.WaitGroup
	signs.Go(func() { b.keepLease(ended, mine, etag) })
	return sync.OnceFunc(func() {
		close(ended)
		signs.Wait()
		b.endLease(mine.Writer)
	}), nil
}

// takeOver replaces a lease that is no longer kept.
func (b *bucket) takeOver(content []byte) (string, error) {
	old, o, now, err := b.fetch(leaseName, 0, -1, "")
	if err != nil {
		return "", err
	}
	if now.Sub(o.at) < leaseTime {
		var l lease
		_ = json.Unmarshal(old, &l) // what it says is for people
		return "", fmt.Errorf("%w: %s, process %d on %q, %v ago", ErrHeld, b.Path(Root), l.PID, l.Host, now.Sub(o.at))
	}
	etag, err := b.send(leaseName, content, condition{match: o.etag})
	if errors.Is(err, errPrecondition) {
		return "", fmt.Errorf("%w: %s", ErrHeld, b.Path(Root))
	}
	return etag, err
}

// checkConditions makes sure that the store keeps conditions: without them two
// archivers could overwrite each other.
func (b *bucket) checkConditions(etag string) error {
	for _, when := range []condition{{not: "*"}, {match: "0" + etag}} {
		_, err := b.send(leaseName, []byte("{}"), when)
		switch {
		case err == nil:
			_ = b.Remove(leaseName) // it says nothing any more
			return fmt.Errorf("%s: the store ignores If-Match or If-None-Match of a put, without which two archivers would damage each other's log: use one that has conditional writes", b.Path(Root))
		case !errors.Is(err, errPrecondition):
			return err
		}
	}
	return nil
}

// keepLease gives signs until the end or until another archiver has taken over,
// which the journal will tell.
func (b *bucket) keepLease(ended <-chan struct{}, mine lease, etag string) {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		mine.Sign++
		var lost bool
		if etag, lost = b.sign(mine, etag); lost {
			return
		}
	}
}

// sign replaces the lease that has the ETag, and returns the ETag of the one to
// replace next. It reports whether another archiver has the lease.
func (b *bucket) sign(mine lease, etag string) (next string, lost bool) {
	content, err := json.Marshal(mine)
	if err != nil {
		return etag, false
	}
	now, err := b.send(leaseName, content, condition{match: etag})
	if err == nil {
		return now, false
	}
	if !errors.Is(err, errPrecondition) {
		return etag, false
	}
	is, o, _, err := b.fetch(leaseName, 0, -1, "")
	if err != nil {
		return etag, false // without a condition it would replace another one's
	}
	var l lease
	if json.Unmarshal(is, &l) != nil || l.Writer != mine.Writer {
		return etag, true
	}
	return o.etag, false // a sign whose answer was lost
}

// endLease lets the next archiver begin at once.
func (b *bucket) endLease(writer string) {
	is, _, _, err := b.fetch(leaseName, 0, -1, "")
	var l lease
	if err == nil && json.Unmarshal(is, &l) == nil && l.Writer == writer {
		_ = b.Remove(leaseName) // else it ends by its age
	}
}
