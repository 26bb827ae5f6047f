package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"giro/internal/sim"
)

// folder is a place for a store, off the disk where there is one.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "giro-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func run(t *testing.T, c sim.Config) sim.Result {
	t.Helper()
	c.Dir = folder(t)
	r, err := sim.Run(t.Context(), c)
	if err != nil {
		t.Error(err)
	}
	return r
}

func TestNothingGoesWrong(t *testing.T) {
	t.Parallel()
	r := run(t, sim.Config{})
	if r.DatabaseOperations < 30 || r.RailOperations < 8 || r.Restarts != 0 {
		t.Errorf("%+v", r)
	}
}

// TestTheNthOperationFails lets each operation go wrong in each way, one per run.
func TestTheNthOperationFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		faults []sim.Fault
		plan   func(*sim.Config, sim.Plan)
		count  func(sim.Result) int
	}{
		{"database", []sim.Fault{sim.FailBefore, sim.FailAfter, sim.DieBefore, sim.DieAfter}, func(c *sim.Config, p sim.Plan) { c.Database = p }, func(r sim.Result) int { return r.DatabaseOperations }},
		{"rail", []sim.Fault{sim.FailBefore, sim.FailAfter}, func(c *sim.Config, p sim.Plan) { c.Rail = p }, func(r sim.Result) int { return r.RailOperations }},
	} {
		for _, fault := range c.faults {
			t.Run(fmt.Sprintf("%s %s", c.name, fault), func(t *testing.T) {
				t.Parallel()
				deaths := 0
				for n := 1; n < 500; n++ {
					var config sim.Config
					c.plan(&config, sim.Nth(n, fault))
					r := run(t, config)
					deaths += r.Restarts
					if t.Failed() {
						t.Fatalf("with operation %d: %s", n, fault)
					}
					if n > c.count(r) {
						if dies := fault == sim.DieBefore || fault == sim.DieAfter; dies != (deaths > n/2) {
							t.Errorf("%d operations, %d deaths", n, deaths)
						}
						return
					}
				}
				t.Error("the scenario has no end")
			})
		}
	}
}

// TestManyThingsGoWrong: random faults everywhere, by seed.
func TestManyThingsGoWrong(t *testing.T) {
	t.Parallel()
	const seeds = 40
	for seed := range uint64(seeds) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		plan := func(faults ...sim.Fault) sim.Plan {
			return func(int) sim.Fault {
				mu.Lock()
				defer mu.Unlock()
				if random.IntN(8) > 0 {
					return sim.None
				}
				return faults[random.IntN(len(faults))]
			}
		}
		run(t, sim.Config{
			Database: plan(sim.FailBefore, sim.FailAfter, sim.DieBefore, sim.DieAfter),
			Rail:     plan(sim.FailBefore, sim.FailAfter),
		})
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}
