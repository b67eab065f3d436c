package archive

import (
	"runtime"
	"testing"
	"time"

	"apollo/services/pace"
)

// TestDiskOf looks at the disk of this test, which is not empty.
func TestDiskOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var filling pace.Pace
	room := diskOf(dir, &filling, time.Now())
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		if room != nil {
			t.Errorf("%+v, want nothing where the system does not say it", room)
		}
		return
	}
	if room == nil || room.TotalBytes == 0 || room.FreeBytes > room.TotalBytes || room.FullInSeconds != nil {
		t.Errorf("the disk of %s has %+v", dir, room)
	}
	for _, place := range []string{"s3://bucket/prefix", dir + "/missing"} {
		if room := diskOf(place, &filling, time.Now()); room != nil {
			t.Errorf("%s has %+v, want nothing", place, room)
		}
	}
	if diskOf("file://"+dir, &filling, time.Now()) == nil {
		t.Error("a URL of a directory has no room")
	}
}
