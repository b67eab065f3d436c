package storage

import (
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
