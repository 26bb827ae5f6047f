package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live uint64
		want int
	}{
		{1, 1000},
		{9 << 20, 1000},
		{16 << 20, 600},
		{96 << 20, 100},
		{1 << 40, 100},
	} {
		if got := garbagePercent(c.live); got != c.want {
			t.Errorf("%d bytes live: %d%%, want %d%%", c.live, got, c.want)
		}
	}
}
