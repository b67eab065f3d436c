package main

import (
	"testing"

	"apollo/services/external"
)

func TestNamedAs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		info external.Info
		argv []string
		want string
	}{
		{external.Info{Described: true, Name: "Systolic matmul"}, []string{"python3", "fast.py"}, "systolic-matmul"},
		{external.Info{Name: "mine"}, []string{"python3", "-u", "models/Fast_2.py", "--coarse"}, "fast-2"},
		{external.Info{Described: true}, []string{"./bin/model", "-x"}, "model"},
		{external.Info{}, []string{"..."}, "program"},
	} {
		if got := namedAs(c.info, c.argv); got != c.want {
			t.Errorf("%q, described %v: called %q, want %q", c.argv, c.info.Described, got, c.want)
		}
	}
}
