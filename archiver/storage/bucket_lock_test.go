package storage

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"apollo/archiver/storage/storagetest"
)

func openTestBucket(t *testing.T, place string) *bucket {
	t.Helper()
	b, err := openBucket(storagetest.Place(place))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLockWhileItIsGivenBack: the other archiver ends between the requests of
// the one that wants the lock.
func TestLockWhileItIsGivenBack(t *testing.T) {
	server := storagetest.New(t)
	for _, at := range []string{http.MethodGet, http.MethodPut} {
		b := openTestBucket(t, "back"+at)
		release, err := b.Lock()
		if err != nil {
			t.Fatal(err)
		}
		if at == http.MethodPut { // the lease has ended by its age too
			server.Pass(4 * leaseTime)
		}
		puts := 0
		server.Watch(func(r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, leaseName) && r.Method == at {
				if puts++; at == http.MethodGet || puts == 2 {
					server.Watch(nil)
					release()
				}
			}
			return true
		})
		if _, err := b.Lock(); !errors.Is(err, ErrHeld) {
			t.Errorf("%s: Lock = %v, want ErrHeld", at, err)
		}
		again, err := b.Lock()
		if err != nil {
			t.Fatalf("%s: Lock after it was given back: %v", at, err)
		}
		again()
	}
}

// TestLostSignLeavesTheLeaseOfAnother: a sign fails since another archiver has
// taken over, and it cannot be asked who.
func TestLostSignLeavesTheLeaseOfAnother(t *testing.T) {
	server := storagetest.New(t)
	b := openTestBucket(t, "sign")
	mine, other := lease{Writer: "mine"}, []byte(`{"writer":"other"}`)
	content, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	etag, err := b.send(leaseName, content, condition{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.send(leaseName, other, condition{match: etag}); err != nil {
		t.Fatal(err)
	}
	server.Watch(func(r *http.Request) bool { return r.Method != http.MethodGet })
	mine.Sign++
	etag, lost := b.sign(mine, etag)
	if lost {
		t.Error("the lease is lost, and nobody could be asked")
	}
	server.Watch(nil)
	mine.Sign++
	if _, lost = b.sign(mine, etag); !lost {
		t.Error("the lease is not lost, and another one has it")
	}
	is, _, _, err := b.fetch(leaseName, 0, -1, "")
	if err != nil || string(is) != string(other) {
		t.Errorf("the lease is %s, %v, want that of the other", is, err)
	}
}
