package ledger_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"giro/ledger"
)

func id(n byte) ledger.ID { return ledger.ID{15: n} }

// accounts are a few accounts to post to.
type accounts map[ledger.ID]*ledger.Account

func (a accounts) find(id ledger.ID) *ledger.Account { return a[id] }

func brl(balance int64, negative bool) *ledger.Account {
	return &ledger.Account{Currency: "BRL", Balance: balance, Negative: negative}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		a, b     *ledger.Account
		postings []ledger.Posting
		err      error
		balances [2]int64
	}{
		{"moves", brl(100, false), brl(5, false), []ledger.Posting{{id(1), id(2), 30}}, nil, [2]int64{70, 35}},
		{"to the floor", brl(100, false), brl(0, false), []ledger.Posting{{id(1), id(2), 100}}, nil, [2]int64{0, 100}},
		{"below the floor", brl(100, false), brl(0, false), []ledger.Posting{{id(1), id(2), 101}}, ledger.ErrFloor, [2]int64{}},
		{"below zero where it may", brl(100, true), brl(0, false), []ledger.Posting{{id(1), id(2), 101}}, nil, [2]int64{-1, 101}},
		{"one after the other", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(2), 10}, {id(2), id(1), 4}}, nil, [2]int64{4, 6}},
		{"the second is not covered", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(2), 10}, {id(1), id(2), 1}}, ledger.ErrFloor, [2]int64{}},
		{"too much", brl(10, false), brl(math.MaxInt64-5, false), []ledger.Posting{{id(1), id(2), 6}}, ledger.ErrOverflow, [2]int64{}},
		{"just not too much", brl(10, false), brl(math.MaxInt64-5, false), []ledger.Posting{{id(1), id(2), 5}}, nil, [2]int64{5, math.MaxInt64}},
		{"too little", brl(math.MinInt64+5, true), brl(0, false), []ledger.Posting{{id(1), id(2), 6}}, ledger.ErrOverflow, [2]int64{}},
		{"just not too little", brl(math.MinInt64+5, true), brl(0, false), []ledger.Posting{{id(1), id(2), 5}}, nil, [2]int64{math.MinInt64, 5}},
		{"zero", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(2), 0}}, ledger.ErrAmount, [2]int64{}},
		{"negative", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(2), -1}}, ledger.ErrAmount, [2]int64{}},
		{"to itself", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(1), 1}}, ledger.ErrSame, [2]int64{}},
		{"unknown account", brl(10, false), brl(0, false), []ledger.Posting{{id(1), id(3), 1}}, ledger.ErrAccount, [2]int64{}},
		{"another currency", brl(10, false), &ledger.Account{Currency: "USD"}, []ledger.Posting{{id(1), id(2), 1}}, ledger.ErrCurrency, [2]int64{}},
		{"nothing", brl(10, false), brl(0, false), nil, ledger.ErrEmpty, [2]int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := accounts{id(1): c.a, id(2): c.b}
			entries, err := ledger.Apply(nil, &ledger.Transaction{Currency: "BRL", Postings: c.postings}, all.find)
			if !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if got := [2]int64{c.a.Balance, c.b.Balance}; got != c.balances {
				t.Errorf("balances %v, want %v", got, c.balances)
			}
			if len(entries) != 2*len(c.postings) {
				t.Fatalf("%d entries of %d postings", len(entries), len(c.postings))
			}
			for i, p := range c.postings {
				debit, credit := entries[2*i], entries[2*i+1]
				if debit.Account != p.Debit || debit.Amount != -p.Amount || credit.Account != p.Credit || credit.Amount != p.Amount {
					t.Errorf("posting %d made %+v and %+v", i, debit, credit)
				}
			}
			if last := entries[len(entries)-1]; last.Balance != all[last.Account].Balance {
				t.Errorf("the last entry says %d, the account holds %d", last.Balance, all[last.Account].Balance)
			}
		})
	}
}

// TestNothingIsMadeOrLost: whatever is posted, the sum over all accounts stays,
// no floor is broken, and each account is the fold of its entries.
func TestNothingIsMadeOrLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := accounts{}
		start := map[ledger.ID]int64{}
		for i := range byte(5) {
			balance := rapid.Int64Range(0, 1000).Draw(t, "balance")
			all[id(i)], start[id(i)] = brl(balance, i == 0), balance
		}
		fold := map[ledger.ID]int64{}
		for range rapid.IntRange(1, 20).Draw(t, "transactions") {
			tx := ledger.Transaction{Currency: "BRL"}
			for range rapid.IntRange(1, 3).Draw(t, "postings") {
				tx.Postings = append(tx.Postings, ledger.Posting{Debit: id(rapid.Byte().Draw(t, "debit") % 5), Credit: id(rapid.Byte().Draw(t, "credit") % 5), Amount: rapid.Int64Range(1, 500).Draw(t, "amount")})
			}
			before := map[ledger.ID]int64{}
			for k, a := range all {
				before[k] = a.Balance
			}
			entries, err := ledger.Apply(nil, &tx, all.find)
			if err != nil { // the caller restores its copies
				for k, a := range all {
					a.Balance = before[k]
				}
				continue
			}
			for _, e := range entries {
				fold[e.Account] += e.Amount
				if e.Balance != start[e.Account]+fold[e.Account] {
					t.Fatalf("an entry says %d, the entries fold to %d", e.Balance, start[e.Account]+fold[e.Account])
				}
			}
		}
		var was, is int64
		for k, a := range all {
			was, is = was+start[k], is+a.Balance
			if a.Balance < 0 && !a.Negative || a.Balance != start[k]+fold[k] {
				t.Fatalf("account %d is at %d", k[15], a.Balance)
			}
		}
		if was != is {
			t.Fatalf("%d became %d", was, is)
		}
	})
}

func example() ledger.Transaction {
	return ledger.Transaction{
		Book: 2, Sequence: 1, ID: id(9), At: 1_700_000_000_000_000, Cause: "captured", Object: id(8), Currency: "BRL",
		Postings: []ledger.Posting{{id(1), id(2), 1000}, {id(2), id(3), 7}},
	}
}

// TestLinkIsFrozen: the chain of a store that exists has to be recomputed by
// every later version, so these bytes never change.
func TestLinkIsFrozen(t *testing.T) {
	t.Parallel()
	tx := example()
	first := ledger.Link(ledger.Hash{}, &tx)
	tx.Sequence = 2
	second := ledger.Link(first, &tx)
	for i, want := range []string{
		"5a8d9708a92d2a48f1b92512808e192de8db89ce075d1fb644f0e6d54610e63e",
		"771f48fbecd28c88cb664bad99f7bd7533081717e4b4fbac13595bfd87b6c9d7",
	} {
		if got := hex.EncodeToString([]ledger.Hash{first, second}[i][:]); got != want {
			t.Errorf("link %d is %s, and was %s", i+1, got, want)
		}
	}
}

// TestEveryFieldIsChained: to change anything of a ledger transaction changes
// its link, and no two transactions share a form.
func TestEveryFieldIsChained(t *testing.T) {
	t.Parallel()
	seen := map[ledger.Hash]string{}
	add := func(name string, prev ledger.Hash, change func(*ledger.Transaction)) {
		tx := example()
		change(&tx)
		h := ledger.Link(prev, &tx)
		if other, taken := seen[h]; taken {
			t.Errorf("%s has the link of %s", name, other)
		}
		seen[h] = name
	}
	add("as it is", ledger.Hash{}, func(*ledger.Transaction) {})
	add("another predecessor", ledger.Hash{1}, func(*ledger.Transaction) {})
	for name, change := range map[string]func(*ledger.Transaction){
		"book":              func(t *ledger.Transaction) { t.Book++ },
		"sequence":          func(t *ledger.Transaction) { t.Sequence++ },
		"id":                func(t *ledger.Transaction) { t.ID[0]++ },
		"time":              func(t *ledger.Transaction) { t.At++ },
		"cause":             func(t *ledger.Transaction) { t.Cause = "settled" },
		"object":            func(t *ledger.Transaction) { t.Object[0]++ },
		"currency":          func(t *ledger.Transaction) { t.Currency = "USD" },
		"text moved across": func(t *ledger.Transaction) { t.Cause, t.Object[0] = "capture", 'd' },
		"amount":            func(t *ledger.Transaction) { t.Postings[1].Amount++ },
		"debit":             func(t *ledger.Transaction) { t.Postings[0].Debit[0]++ },
		"credit":            func(t *ledger.Transaction) { t.Postings[0].Credit[0]++ },
		"order":             func(t *ledger.Transaction) { t.Postings[0], t.Postings[1] = t.Postings[1], t.Postings[0] },
		"one less":          func(t *ledger.Transaction) { t.Postings = t.Postings[:1] },
	} {
		add(name, ledger.Hash{}, change)
	}
}

func TestPostingsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var postings []ledger.Posting
		for range rapid.IntRange(0, 5).Draw(t, "postings") {
			var p ledger.Posting
			copy(p.Debit[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "debit"))
			copy(p.Credit[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "credit"))
			p.Amount = rapid.Int64().Draw(t, "amount")
			postings = append(postings, p)
		}
		stored := ledger.AppendPostings(nil, postings)
		read, err := ledger.DecodePostings(nil, stored)
		if err != nil || !bytes.Equal(ledger.AppendPostings(nil, read), stored) || len(read) != len(postings) {
			t.Fatalf("%v became %v (%v)", postings, read, err)
		}
		if len(stored) > 2 {
			if _, err := ledger.DecodePostings(nil, stored[:len(stored)-1]); !errors.Is(err, ledger.ErrEncoding) {
				t.Fatalf("a cut form was read: %v", err)
			}
		}
		if _, err := ledger.DecodePostings(nil, append(stored, 0)); !errors.Is(err, ledger.ErrEncoding) {
			t.Fatalf("a longer form was read: %v", err)
		}
	})
}

func FuzzDecodePostings(f *testing.F) {
	f.Add(ledger.AppendPostings(nil, example().Postings))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, stored []byte) {
		postings, err := ledger.DecodePostings(nil, stored)
		if err == nil && !bytes.Equal(ledger.AppendPostings(nil, postings), stored) {
			t.Errorf("%x has two forms", stored)
		}
	})
}
