package api

import (
	"testing"
	"time"

	"giro"
)

// Every route says what it asks of a person, and nothing else does.
func TestEveryRouteHasAPolicy(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Engine: &giro.Engine{}, Now: time.Now, NewID: giro.UUIDs(), Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{string(giro.MayNever): true}
	for _, p := range giro.Permissions {
		known[string(p)] = true
	}
	routes := map[string]bool{}
	for _, r := range s.table {
		routes[r.id] = true
		switch {
		case r.access == accessPublic && r.policy() != "":
			t.Errorf("%s is public and needs no line in policies", r.id)
		case r.access != accessPublic && r.policy() == "":
			t.Errorf("%s %s (%s): decide what it asks of a person, in policy.go", r.method, r.path, r.id)
		case r.policy() != "" && !known[string(r.policy())]:
			t.Errorf("%s asks for %q, which no role has", r.id, r.policy())
		case r.method != "GET" && r.access != accessSession && (r.policy() == giro.MayReadPayments || r.policy() == giro.MayReadBalances || r.policy() == giro.MayOwn):
			t.Errorf("%s changes something and asks for no more than reading", r.id)
		}
	}
	for id := range policies {
		if !routes[id] {
			t.Errorf("policies names %s, which is no route", id)
		}
	}
}
