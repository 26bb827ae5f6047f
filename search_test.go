package giro_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"giro"
)

// TestHolders: whoever has metadata is found by it at once, whether its words
// were written for search yet or not, and nobody else.
func TestHolders(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		r := rand.New(rand.NewPCG(1, 2))
		values := []string{"", "  ", "ação", "acao", "AÇÃO", "one two", "two one", "one", `5 "<&> é`, strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("é", 40) + "z"}
		var many strings.Builder
		for i := range 60 {
			fmt.Fprintf(&many, "w%d ", i)
		}
		values = append(values, many.String(), "w50")
		some := func() map[string]string {
			m := map[string]string{}
			for range r.IntN(4) {
				m[string(rune('a'+r.IntN(3)))] = values[r.IntN(len(values))]
			}
			return m
		}
		sub, err := b.CreateAccount(t.Context(), b.call, "till", "BRL", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		other, err := b.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "Outra", Currency: "BRL"})
		if err != nil {
			t.Fatal(err)
		}
		theirs := &giro.Call{Merchant: other}
		to, err := b.Fund(t.Context(), theirs, "BRL", 1)
		if err != nil {
			t.Fatal(err)
		}
		all := map[giro.Kind]map[giro.UUID]*giro.Movement{}
		keep := func(r *giro.Result, err error) *giro.Movement {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			m := r.Movement
			if all[m.Kind] == nil {
				all[m.Kind] = map[giro.UUID]*giro.Movement{}
			}
			all[m.Kind][m.ID] = m
			return m
		}
		indexed, sifted := 0, 0
		compare := func() {
			t.Helper()
			for range 6 {
				wanted := some()
				if len(wanted) == 0 {
					continue
				}
				for _, call := range []*giro.Call{b.call, theirs} {
					ids, err := b.Holders(t.Context(), call.Book(), slices.Collect(maps.Values(wanted)))
					if err != nil {
						t.Fatal(err)
					}
					if ids == nil {
						sifted++
					} else {
						indexed++
					}
					for kind, made := range all {
						q := giro.MovementQuery{Book: call.Book(), Kind: kind, Metadata: wanted, IDs: ids}
						got, more, err := b.Store.Movements(t.Context(), q)
						if err != nil || more {
							t.Fatal(err, more)
						}
						n, err := b.Store.CountMovements(t.Context(), q, 1000)
						if err != nil || n != int64(len(got)) {
							t.Errorf("%d are counted of %d, %v", n, len(got), err)
						}
						var want []giro.UUID
						for id, m := range made {
							if (m.Book == call.Book() || m.Peer == call.Book()) && (&giro.MovementQuery{Metadata: wanted}).Passes(m) {
								want = append(want, id)
							}
						}
						slices.SortFunc(want, func(a, b giro.UUID) int { return strings.Compare(string(b[:]), string(a[:])) })
						if !slices.EqualFunc(got, want, func(m *giro.Movement, id giro.UUID) bool { return m.ID == id }) {
							t.Errorf("%s with %q: %d of %d are found", kind, wanted, len(got), len(want))
						}
					}
				}
			}
		}
		for range 12 {
			for range 3 {
				charge := cardCharge(500, "tok_ok")
				charge.Metadata = some()
				c := keep(b.CreateCharge(t.Context(), b.call, charge))
				keep(b.CreateRefund(t.Context(), b.call, giro.Request{Charge: c.ID, Amount: 10, Metadata: some()}))
				payout := pixPayout(100)
				payout.Metadata = some()
				p := keep(b.CreatePayout(t.Context(), &giro.Call{Merchant: b.merchant, Simulate: "onhold"}, payout))
				keep(b.CreateTransfer(t.Context(), b.call, giro.Request{Amount: 5, Currency: "BRL", Destination: sub.ID, Metadata: some()}))
				keep(b.CreateTransfer(t.Context(), b.call, giro.Request{Amount: 5, Currency: "BRL", Destination: to.ID, Metadata: some()}))
				canceled := giro.StatusCanceled
				b.until(t, p, giro.StatusOnHold)
				keep(b.Update(t.Context(), b.call, giro.KindPayout, p.ID, giro.Change{Metadata: some(), Status: &canceled}))
				keep(b.Update(t.Context(), b.call, giro.KindCharge, c.ID, giro.Change{Metadata: some()}))
			}
			compare()
			if _, err := b.IndexSome(t.Context(), 1+r.IntN(40)); err != nil {
				t.Fatal(err)
			}
			compare()
		}
		for {
			n, err := b.IndexSome(t.Context(), 500)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		for id, m := range all[giro.KindCharge] { // the newest of each
			now, err := b.Store.Movement(t.Context(), m.Book, m.Kind, id)
			if err != nil || !maps.Equal(now.Detail.Metadata, m.Detail.Metadata) {
				t.Error(now, err)
			}
		}
		compare()
		if indexed == 0 || sifted == 0 {
			t.Errorf("%d by their words, %d one by one", indexed, sifted)
		}
	})
}
