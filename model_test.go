package giro_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"giro"
	"giro/internal/storetest"
	"giro/money"
	"giro/store"
)

// The property test: random commands against a naive model that knows the
// published rules and nothing of the engine. It works out every balance from
// the movements as they are shown, predicts which commands are refused for
// money, and reads each movement's life from its events.

// legal are the moves that the published pages allow.
var legal = map[giro.Status][]giro.Status{
	giro.StatusPending:   {giro.StatusSucceeded, giro.StatusFailed, giro.StatusOnHold, giro.StatusCanceled, giro.StatusRefunded},
	giro.StatusOnHold:    {giro.StatusPending, giro.StatusSucceeded, giro.StatusFailed, giro.StatusCanceled},
	giro.StatusSucceeded: {giro.StatusPending, giro.StatusReturned, giro.StatusRefunded},
	giro.StatusReturned:  {giro.StatusRefunded},
	giro.StatusRefunded:  {giro.StatusSucceeded},
}

// world is one run: two merchants on an engine that other runs use too.
type world struct {
	*bank
	t         *rapid.T
	clock     *settable
	paused    *atomic.Bool
	mine      *giro.Merchant
	other     *giro.Merchant
	funded    map[giro.Book]map[money.Currency]int64
	subs      []*giro.Account // in books of mine
	movements []*giro.Movement
	retried   map[giro.UUID]bool
	keys      int
	past      []repeat
}

// repeat is a command that was answered, to be sent again under its key.
type repeat struct {
	run  func(*giro.Call) (any, error)
	call giro.Call
	body []byte
}

func (w *world) call(live bool) *giro.Call { return &giro.Call{Merchant: w.mine, Live: live} }

func (w *world) books() []giro.Book {
	return []giro.Book{giro.BookOf(w.mine.Number, false), giro.BookOf(w.mine.Number, true), giro.BookOf(w.other.Number, false)}
}

var ctxModel = context.Background()

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (w *world) heads() (all [3]giro.BookHead) {
	for i, book := range w.books() {
		h, err := w.Store.Head(ctxModel, book)
		w.must(err)
		if h != nil {
			all[i] = *h
		}
	}
	return all
}

// reread refreshes every movement and returns it.
func (w *world) reread() []*giro.Movement {
	for i, m := range w.movements {
		now, err := w.Store.Movement(ctxModel, m.Book, m.Kind, m.ID)
		w.must(err)
		if now.Version < m.Version {
			w.t.Fatalf("%s went back from version %d to %d", m.Kind, m.Version, now.Version)
		}
		w.movements[i] = now
	}
	return w.movements
}

// pick draws one of the movements of these kinds that the API still shows.
func (w *world) pick(kinds ...giro.Kind) *giro.Movement {
	var some []*giro.Movement
	for _, m := range w.movements {
		if !m.Deleted && slices.Contains(kinds, m.Kind) {
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		w.t.Skip("none")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(w.t, "movement")]
}

// do runs a command under a key of its own and holds what is true of each: a
// refusal changes nothing, and its answer can be repeated.
func (w *world) do(live bool, run func(*giro.Call) (any, error)) (*giro.Result, error) {
	before := w.heads()
	w.keys++
	call := *w.call(live)
	call.Idempotent = &giro.Idempotent{Key: fmt.Sprintf("k%d", w.keys), Fingerprint: []byte("f"), Render: func(v any, err error) giro.Answer {
		if err != nil {
			return giro.Answer{Status: 409, Body: []byte(err.Error())}
		}
		if r, ok := v.(*giro.Result); ok {
			return giro.Answer{Status: 200, Body: r.Movement.AppendJSON(nil)}
		}
		return giro.Answer{Status: 200}
	}}
	v, err := run(&call)
	if err != nil {
		if giro.Is(err, giro.CodeUnavailable) {
			w.t.Fatalf("a 503: %v", err)
		}
		if after := w.heads(); after != before {
			w.t.Fatalf("a refusal (%v) changed the books", err)
		}
	}
	if kept(err) {
		w.past = append(w.past, repeat{run, call, call.Answer.Body})
	}
	r, _ := v.(*giro.Result)
	if r == nil {
		return nil, err
	}
	if err == nil && !slices.ContainsFunc(w.movements, func(m *giro.Movement) bool { return m.ID == r.Movement.ID }) {
		w.movements = append(w.movements, r.Movement)
	}
	return r, err
}

// kept reports whether an answer is kept: success, or a refusal that business
// rules made of the present state.
func kept(err error) bool {
	for _, c := range []giro.Code{giro.CodeInvalidState, giro.CodeInFlight, giro.CodeInsufficientFunds, giro.CodeRefundExceeds, giro.CodeReversalExceeds, giro.CodeCaptureExceeds, giro.CodeBelowCaptured, giro.CodeAlreadyRefunded, giro.CodeChargeNotRefundable} {
		if giro.Is(err, c) {
			return true
		}
	}
	return err == nil
}

type place struct {
	book     giro.Book
	currency money.Currency
	role     giro.Role
	name     string // of a sub-account its id, of a clearing account its rail
}

// naive works out every balance from the movements as they stand.
func (w *world) naive(movements []*giro.Movement) map[place]int64 {
	sums := map[place]int64{}
	for book, currencies := range w.funded {
		for c, amount := range currencies {
			sums[place{book, c, giro.RoleAvailable, ""}] += amount
			sums[place{book, c, giro.RoleClearing, "sandbox"}] -= amount
		}
	}
	for _, m := range movements {
		add := func(role giro.Role, name string, amount int64) {
			sums[place{m.Book, m.Currency, role, name}] += amount
		}
		// side adds to the account that a movement names, or to its reserved side.
		side := func(id giro.UUID, reserved bool, amount int64) {
			sub := slices.IndexFunc(w.subs, func(a *giro.Account) bool { return a.ID == id })
			switch {
			case sub >= 0 && reserved:
				add(giro.RoleSubReserved, id.ID("acct"), amount)
			case sub >= 0:
				add(giro.RoleSub, id.ID("acct"), amount)
			case reserved:
				add(giro.RoleReserved, "", amount)
			default:
				add(giro.RoleAvailable, "", amount)
			}
		}
		open := m.Status == giro.StatusPending || m.Status == giro.StatusOnHold
		account, rail := m.Detail.Account, m.Detail.Rail
		switch m.Kind {
		case giro.KindCharge:
			add(giro.RoleClearing, rail, -m.Captured)
			add(giro.RolePending, "", m.Detail.Unsettled)
			side(account, false, m.Captured-m.Detail.Unsettled)
		case giro.KindRefund:
			switch {
			case open:
				side(account, false, -m.Amount)
				side(account, true, m.Amount)
			case m.Status == giro.StatusSucceeded:
				side(account, false, -m.Amount)
				add(giro.RoleClearing, rail, m.Amount)
			}
		case giro.KindPayout:
			switch {
			case open && m.Reserved == 0: // held for missing funds
			case open:
				side(account, false, -m.Amount)
				side(account, true, m.Amount)
			case m.Status == giro.StatusSucceeded:
				side(account, false, -m.Amount)
				add(giro.RoleClearing, rail, m.Amount)
			case m.Status == giro.StatusReturned:
				side(account, false, -m.Amount)
				add(giro.RoleReturns, "", m.Amount)
			}
		case giro.KindTransfer:
			if open {
				side(account, false, -m.Amount)
				side(account, true, m.Amount)
				continue
			}
			net := m.Captured - m.Refunded
			side(account, false, -net)
			if m.Peer == 0 {
				side(m.Detail.Destination, false, net)
				continue
			}
			add(giro.RoleIntermerchant, "", net)
			sums[place{m.Peer, m.Currency, giro.RoleIntermerchant, ""}] -= net
			sums[place{m.Peer, m.Currency, giro.RoleAvailable, ""}] += net
		}
	}
	return sums
}

// check compares the books with the naive sums, and the movements with their
// events.
func (w *world) check() {
	movements := w.reread()
	want := w.naive(movements)
	for _, book := range w.books() {
		accounts, _, err := w.Store.Accounts(ctxModel, giro.AccountQuery{Book: book})
		w.must(err)
		total := map[money.Currency]int64{}
		for _, a := range accounts {
			p := place{book, a.Currency, a.Role, a.Name}
			if a.Role == giro.RoleSub {
				p.name = a.ID.ID("acct")
			}
			if a.Balance != want[p] {
				w.t.Fatalf("%v holds %d, and the movements add up to %d", p, a.Balance, want[p])
			}
			delete(want, p)
			total[a.Currency] += a.Balance
			floor := !a.Role.Outside() && !(a.Role == giro.RoleAvailable && w.mine.NegativeBalanceAllowed && book.Merchant() == w.mine.Number)
			if floor && a.Balance < 0 {
				w.t.Fatalf("%v is at %d", p, a.Balance)
			}
		}
		for c, sum := range total {
			if sum != 0 {
				w.t.Fatalf("book %d is out of balance by %d %s", book, sum, c)
			}
		}
	}
	for p, amount := range want {
		if amount != 0 {
			w.t.Fatalf("%v should hold %d and does not exist", p, amount)
		}
	}
	refunds := map[giro.UUID][2]int64{} // charge → open, succeeded
	for _, m := range movements {
		if m.Kind == giro.KindRefund {
			sum := refunds[m.Parent]
			switch m.Status {
			case giro.StatusPending, giro.StatusOnHold:
				sum[0] += m.Amount
			case giro.StatusSucceeded:
				sum[1] += m.Amount
			}
			refunds[m.Parent] = sum
		}
	}
	for _, m := range movements {
		w.checkLife(m)
		if m.Kind != giro.KindCharge {
			continue
		}
		sum := refunds[m.ID]
		if m.Refunded != sum[1] || m.Detail.RefundsOpen != sum[0] || sum[0]+sum[1] > m.Captured {
			w.t.Fatalf("a charge of %d says that %d was given back and %d is about to be; its refunds say %d and %d", m.Captured, m.Refunded, m.Detail.RefundsOpen, sum[1], sum[0])
		}
		if m.Captured > 0 && (m.Status == giro.StatusFailed || m.Status == giro.StatusCanceled) {
			w.t.Fatalf("a charge that captured %d is %s", m.Captured, m.Status)
		}
		if full := m.Captured > 0 && m.Refunded == m.Captured; m.Status.Final() && m.Captured > 0 && full != (m.Status == giro.StatusRefunded) {
			w.t.Fatalf("a charge is %s with %d of %d given back", m.Status, m.Refunded, m.Captured)
		}
	}
}

// shown is what the model reads of an event.
type shown struct {
	Status  giro.Status `json:"status"`
	Version int64       `json:"version"`
	InDoubt bool        `json:"in_doubt"`
}

// checkLife reads a movement's life from its events: one for each change, only
// moves that the pages allow, and the last one shows it as it is.
func (w *world) checkLife(m *giro.Movement) {
	for _, book := range []giro.Book{m.Book, m.Peer} {
		if book == 0 {
			continue
		}
		events, err := w.Store.Events(ctxModel, giro.EventQuery{Book: book, Object: m.ID, Ascending: true, Limit: 1000})
		w.must(err)
		var last shown
		for i, e := range events {
			var now shown
			w.must(json.Unmarshal(e.Data, &now))
			what := strings.TrimPrefix(e.Type, string(m.Kind)+".")
			switch {
			case i == 0 && (what != "created" || now.Version != 1):
				w.t.Fatalf("the first event of a %s is %s, version %d", m.Kind, e.Type, now.Version)
			case i > 0 && now.Version != last.Version && now.Version != last.Version+1:
				w.t.Fatalf("a %s went from version %d to %d without an event", m.Kind, last.Version, now.Version)
			case i > 0 && now.Status != last.Status && !slices.Contains(legal[last.Status], now.Status):
				w.t.Fatalf("a %s went from %s to %s", m.Kind, last.Status, now.Status)
			}
			if slices.Contains(giro.Statuses, giro.Status(what)) && now.Status != giro.Status(what) {
				w.t.Fatalf("%s shows a %s", e.Type, now.Status)
			}
			last = now
		}
		if data := m.AppendJSON(nil); len(events) == 0 || !bytes.Equal(events[len(events)-1].Data, data) {
			w.t.Fatalf("a %s is\n%s\nand its last event says\n%s", m.Kind, data, events[len(events)-1].Data)
		}
	}
}

// tick lets the time go on with the jobs running.
func (w *world) tick(d time.Duration) {
	w.paused.Store(false)
	defer w.paused.Store(true)
	ctx, cancel := context.WithTimeout(ctxModel, 60*time.Second)
	defer cancel()
	end := w.clock.now().Add(d)
	for {
		next, err := w.Store.NextJob(ctx)
		w.must(err)
		if next == 0 || next > giro.Micros(end) {
			break
		}
		if next > giro.Micros(w.clock.now()) {
			w.clock.advance(giro.TimeOf(next).Sub(w.clock.now()))
		}
		w.must(w.Drain(ctx, giro.Micros(w.clock.now())))
	}
	w.must(w.Drain(ctx, giro.Micros(w.clock.now())))
	w.clock.advance(end.Sub(w.clock.now()))
}

func (w *world) currency() money.Currency {
	return rapid.SampledFrom([]money.Currency{"BRL", "JPY"}).Draw(w.t, "currency")
}

func (w *world) amount() int64 {
	return rapid.OneOf(rapid.Int64Range(1, 5000), rapid.Int64Range(10_090, 10_100)).Draw(w.t, "amount")
}

// sub draws a sub-account of a book and currency, or the main account.
func (w *world) sub(book giro.Book, c money.Currency) giro.UUID {
	var some []giro.UUID
	for _, a := range w.subs {
		if a.Book == book && a.Currency == c {
			some = append(some, a.ID)
		}
	}
	return rapid.SampledFrom(append(some, giro.UUID{})).Draw(w.t, "account")
}

func (w *world) main(book giro.Book, c money.Currency) giro.UUID {
	accounts, _, err := w.Store.Accounts(ctxModel, giro.AccountQuery{Book: book, Roles: []giro.Role{giro.RoleAvailable}})
	w.must(err)
	for _, a := range accounts {
		if a.Currency == c {
			return a.ID
		}
	}
	return giro.UUID{}
}

// available is what an account can spend, by the naive sums.
func (w *world) available(book giro.Book, c money.Currency, sub giro.UUID) int64 {
	p := place{book, c, giro.RoleAvailable, ""}
	if !sub.IsZero() && slices.ContainsFunc(w.subs, func(a *giro.Account) bool { return a.ID == sub }) {
		p.role, p.name = giro.RoleSub, sub.ID("acct")
	}
	return w.naive(w.reread())[p]
}

// refused compares a refusal with what the model expects of the money.
func (w *world) refused(what string, err error, code giro.Code, want bool) {
	w.t.Helper()
	if got := giro.Is(err, code); got != want {
		w.t.Fatalf("%s: %v; the model expects %s: %v", what, err, code, want)
	}
}

func (w *world) actions() map[string]func(*rapid.T) {
	any4 := []giro.Kind{giro.KindCharge, giro.KindRefund, giro.KindPayout, giro.KindTransfer}
	live := func() bool { return rapid.IntRange(0, 4).Draw(w.t, "live") == 0 }
	covers := func(book giro.Book, c money.Currency, sub giro.UUID, amount int64) bool {
		main := !slices.ContainsFunc(w.subs, func(a *giro.Account) bool { return a.ID == sub })
		return w.available(book, c, sub) >= amount || main && w.mine.NegativeBalanceAllowed
	}
	actions := map[string]func(){
		"fund": func() {
			c, amount := w.currency(), rapid.Int64Range(1, 30_000).Draw(w.t, "funds")
			book := w.call(false).Book()
			_, err := w.Fund(ctxModel, w.call(false), c, amount)
			w.must(err)
			if w.funded[book] == nil {
				w.funded[book] = map[money.Currency]int64{}
			}
			w.funded[book][c] += amount
		},
		"sub-account": func() {
			if len(w.subs) > 3 {
				w.t.Skip()
			}
			a, err := w.CreateAccount(ctxModel, w.call(live()), "sub", w.currency(), false, nil)
			w.must(err)
			w.subs = append(w.subs, a)
		},
		"card charge": func() {
			c := w.currency()
			req := giro.Request{Amount: w.amount(), Currency: c, Provider: "card", Capture: rapid.Bool().Draw(w.t, "capture"), Account: w.sub(w.call(false).Book(), c),
				Card: &giro.Card{Token: rapid.SampledFrom([]string{"tok_ok", "tok_ok", "tok_declined", "tok_auth", "tok_pending", "tok_timeout", "tok_timeout_failed", "tok_refund_fail"}).Draw(w.t, "token")}}
			r, err := w.do(false, func(call *giro.Call) (any, error) { return w.CreateCharge(ctxModel, call, req) })
			w.must(err)
			captured, status := int64(0), giro.StatusPending
			switch token := req.Card.Token; {
			case token == "tok_declined":
				status = giro.StatusFailed
			case (token == "tok_ok" || token == "tok_refund_fail") && req.Capture:
				captured, status = req.Amount, giro.StatusSucceeded
			}
			if m := r.Movement; m.Captured != captured || m.Status != status || m.InDoubt != strings.HasPrefix(req.Card.Token, "tok_timeout") {
				w.t.Fatalf("%s: %s, captured %d, in doubt %v", req.Card.Token, m.Status, m.Captured, m.InDoubt)
			}
		},
		"bank charge": func() {
			c := w.currency()
			method := "pix"
			if c != "BRL" {
				method = "transfer"
			}
			l := live()
			r, err := w.do(l, func(call *giro.Call) (any, error) {
				return w.CreateCharge(ctxModel, call, giro.Request{Amount: w.amount(), Currency: c, Provider: "bank", Bank: &giro.Bank{Method: method}, Capture: true, Account: w.sub(w.call(l).Book(), c)})
			})
			w.must(err)
			if r.Movement.Status != giro.StatusPending {
				w.t.Fatalf("a bank charge is %s", r.Movement.Status)
			}
		},
		"capture": func() {
			m := w.pick(giro.KindCharge)
			amount := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, m.Amount)).Draw(w.t, "amount")
			rest := m.Amount - m.Captured
			can := m.Detail.Card != nil && m.Status == giro.StatusPending && !m.Sent && m.Detail.Step == nil
			r, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.Capture(ctxModel, call, m.ID, amount) })
			if amount == 0 {
				amount = rest
			}
			if can {
				w.refused("capture", err, giro.CodeCaptureExceeds, amount > rest)
				if err == nil && r.Movement.Captured != m.Captured+amount {
					w.t.Fatalf("captured %d of %d more, asked for %d", r.Movement.Captured-m.Captured, rest, amount)
				}
			}
		},
		"amount": func() {
			m := w.pick(any4...)
			amount := rapid.Int64Range(max(1, m.Amount-2000), m.Amount+2000).Draw(w.t, "amount")
			funded := covers(m.Book, m.Currency, m.Detail.Account, amount-m.Amount)
			r, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) {
				return w.Update(ctxModel, call, m.Kind, m.ID, giro.Change{Amount: &amount})
			})
			reserved := (m.Kind == giro.KindPayout || m.Kind == giro.KindTransfer) && m.Reserved > 0 && amount > m.Amount
			if err == nil && reserved && !funded {
				w.t.Fatalf("a %s was raised from %d to %d beyond the balance", m.Kind, m.Amount, amount)
			}
			if err == nil && m.Kind != giro.KindCharge && r.Movement.Amount != amount {
				w.t.Fatalf("the amount is %d, set to %d", r.Movement.Amount, amount)
			}
			if err == nil && amount < m.Captured {
				w.t.Fatalf("a charge of which %d was captured was lowered to %d", m.Captured, amount)
			}
		},
		"describe": func() {
			m := w.pick(any4...)
			text := rapid.SampledFrom([]string{"a", "b"}).Draw(w.t, "text")
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) {
				return w.Update(ctxModel, call, m.Kind, m.ID, giro.Change{Description: &text})
			})
			w.must(err)
		},
		"cancel": func() {
			m := w.pick(any4...)
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.Cancel(ctxModel, call, m.Kind, m.ID) })
			open := m.Status == giro.StatusPending || m.Status == giro.StatusOnHold && m.Kind != giro.KindTransfer
			switch {
			case open && !m.Sent:
				w.must(err)
			case open:
				w.refused("cancel", err, giro.CodeInFlight, true)
			default:
				w.refused("cancel", err, giro.CodeInvalidState, true)
			}
		},
		"refund": func() {
			m := w.pick(giro.KindCharge)
			amount := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, m.Amount)).Draw(w.t, "amount")
			left := m.Captured - m.Refunded - m.Detail.RefundsOpen
			take := amount
			if take == 0 {
				take = left
			}
			held := max(0, take-m.Detail.Unsettled)
			funded := held == 0 || covers(m.Book, m.Currency, m.Detail.Account, held)
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) {
				return w.CreateRefund(ctxModel, call, giro.Request{Charge: m.ID, Amount: amount})
			})
			switch {
			case m.Captured == 0:
				w.refused("refund", err, giro.CodeChargeNotRefundable, true)
			case m.Refunded == m.Captured:
				w.refused("refund", err, giro.CodeAlreadyRefunded, true)
			case left == 0 || amount > left:
				w.refused("refund", err, giro.CodeRefundExceeds, true)
			default:
				w.refused("refund", err, giro.CodeInsufficientFunds, !funded)
			}
		},
		"payout": func() {
			l, c := live(), w.currency()
			book := w.call(l).Book()
			req := giro.Request{Amount: w.amount(), Currency: c, Provider: "bank", Bank: &giro.Bank{Method: "transfer"}, Account: w.sub(book, c)}
			if c == "BRL" && rapid.Bool().Draw(w.t, "whole") {
				req.Amount *= 100
			}
			funded := covers(book, c, req.Account, req.Amount)
			r, err := w.do(l, func(call *giro.Call) (any, error) { return w.CreatePayout(ctxModel, call, req) })
			w.refused("payout", err, giro.CodeInsufficientFunds, !funded && !w.mine.HoldOnMissingFunds)
			if err == nil && (r.Movement.Status == giro.StatusOnHold) != !funded {
				w.t.Fatalf("funded %v, and the payout is %s", funded, r.Movement.Status)
			}
		},
		"release": func() {
			m := w.pick(giro.KindPayout, giro.KindRefund, giro.KindCharge)
			w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.Release(ctxModel, call, m.Kind, m.ID) })
		},
		"retry": func() {
			m := w.pick(giro.KindPayout)
			if w.retried[m.ID] {
				w.t.Skip()
			}
			r, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.RetryPayout(ctxModel, call, m.ID, "") })
			if err == nil && (r.Movement.Detail.RetryOf != m.ID || m.Status == giro.StatusSucceeded || !m.Status.Final()) {
				w.t.Fatalf("a payout that is %s was tried again", m.Status)
			}
			w.retried[m.ID] = err == nil
		},
		"credit back": func() {
			m := w.pick(giro.KindPayout)
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.CreditBack(ctxModel, call, m.ID) })
			if (err == nil) != (m.Status == giro.StatusReturned) {
				w.t.Fatalf("credit back of a payout that is %s: %v", m.Status, err)
			}
		},
		"a person's word": func() {
			m := w.pick(giro.KindPayout, giro.KindRefund, giro.KindCharge)
			word := rapid.IntRange(0, 2).Draw(w.t, "word")
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) {
				switch word {
				case 0:
					return w.Confirm(ctxModel, call, m.Kind, m.ID)
				case 1:
					return w.Reject(ctxModel, call, m.Kind, m.ID, "declined")
				}
				return w.Return(ctxModel, call, m.Kind, m.ID)
			})
			if err == nil && !m.Book.Live() {
				w.t.Fatal("a person's word was taken for the sandbox")
			}
		},
		"the rail's word": func() {
			m := w.pick(any4...)
			if m.Book.Live() {
				w.t.Skip()
			}
			outcome := rapid.SampledFrom(giro.TestOutcomes).Draw(w.t, "outcome")
			w.do(false, func(call *giro.Call) (any, error) { return w.TestOutcome(ctxModel, call, m.Kind, m.ID, outcome, "") })
		},
		"transfer": func() {
			l, c := live(), w.currency()
			book := w.call(l).Book()
			from, to := w.sub(book, c), w.sub(book, c)
			if to.IsZero() {
				to = w.main(book, c)
			}
			if rapid.IntRange(0, 3).Draw(w.t, "between merchants") == 0 && !l {
				to = w.main(giro.BookOf(w.other.Number, false), c)
			}
			if to.IsZero() || to == from || from.IsZero() && to == w.main(book, c) {
				w.t.Skip()
			}
			req := giro.Request{Amount: w.amount(), Currency: c, Account: from, Destination: to, Pending: rapid.Bool().Draw(w.t, "pending")}
			// A main account that was never used does not exist: it holds nothing.
			funded := covers(book, c, from, req.Amount) && (!from.IsZero() || !w.main(book, c).IsZero())
			_, err := w.do(l, func(call *giro.Call) (any, error) { return w.CreateTransfer(ctxModel, call, req) })
			w.refused("transfer", err, giro.CodeInsufficientFunds, !funded)
		},
		"post": func() {
			m := w.pick(giro.KindTransfer)
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.PostTransfer(ctxModel, call, m.ID) })
			if (err == nil) != (m.Status == giro.StatusPending) {
				w.t.Fatalf("post of a transfer that is %s: %v", m.Status, err)
			}
		},
		"reverse": func() {
			m := w.pick(giro.KindTransfer)
			amount := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, m.Amount)).Draw(w.t, "amount")
			if m.Peer != 0 {
				// The receiver's: his key space is his own.
				before := w.heads()
				_, err := w.ReverseTransfer(ctxModel, &giro.Call{Merchant: w.other}, m.ID, amount)
				if err != nil && w.heads() != before {
					w.t.Fatal("a refused reversal changed the books")
				}
				return
			}
			r, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return w.ReverseTransfer(ctxModel, call, m.ID, amount) })
			left := m.Captured - m.Refunded
			if err == nil && (amount > left || r.Movement.Refunded > r.Movement.Captured) {
				w.t.Fatalf("%d were given back of %d", amount, left)
			}
		},
		"delete": func() {
			m := w.pick(any4...)
			_, err := w.do(m.Book.Live(), func(call *giro.Call) (any, error) { return nil, w.Delete(ctxModel, call, m.Kind, m.ID) })
			w.refused("delete", err, giro.CodeInFlight, m.Sent || m.Detail.RefundsOpen > 0)
		},
		"tick":  func() { w.tick(time.Duration(rapid.IntRange(1, 30).Draw(w.t, "seconds")) * time.Second) },
		"clock": func() { w.advance(time.Duration(rapid.IntRange(1, 200).Draw(w.t, "hours")) * time.Hour) },
		"again": func() {
			if len(w.past) == 0 {
				w.t.Skip()
			}
			p := w.past[rapid.IntRange(0, len(w.past)-1).Draw(w.t, "command")]
			before := w.heads()
			call := p.call
			call.Answer = giro.Answer{}
			p.run(&call)
			if !call.Answer.Replayed || !bytes.Equal(call.Answer.Body, p.body) {
				w.t.Fatalf("answered first\n%s\nand then (replayed %v)\n%s", p.body, call.Answer.Replayed, call.Answer.Body)
			}
			if w.heads() != before {
				w.t.Fatal("a replay changed the books")
			}
		},
	}
	drawn := map[string]func(*rapid.T){"": func(t *rapid.T) { w.t = t; w.check() }}
	for name, action := range actions {
		drawn[name] = func(t *rapid.T) { w.t = t; w.reread(); action() }
	}
	return drawn
}

// advance puts the test clock forward and lets what became due run.
func (w *world) advance(d time.Duration) {
	_, err := w.ChangeClock(ctxModel, w.call(false), giro.ClockChange{Advance: d})
	w.must(err)
	w.tick(time.Second)
}

// end lets everything come to its end: what is still open then waits for a
// person or for a rail that was told to say nothing.
func (w *world) end() {
	w.tick(30 * time.Second)
	w.advance(20 * 24 * time.Hour)
	w.tick(2 * time.Hour)
	w.check()
	for _, m := range w.movements {
		if m.Detail.Unsettled != 0 {
			w.t.Fatalf("a charge still has %d unsettled", m.Detail.Unsettled)
		}
		if m.InDoubt || m.Kind == giro.KindTransfer && m.Status == giro.StatusPending && !m.Book.Live() {
			w.t.Fatalf("a %s is stuck: %s, in doubt %v", m.Kind, m.Status, m.InDoubt)
		}
		if len(m.Detail.Voids) > 0 {
			w.t.Fatal("a void is stuck")
		}
	}
	for _, book := range w.books() {
		log, err := w.Store.SandboxLog(ctxModel, book, 0, 10_000, false)
		w.must(err)
		for _, r := range log {
			if r.Submits > 3 {
				w.t.Fatalf("%s was submitted %d times", r.Instruction, r.Submits)
			}
		}
	}
}

func TestRandomCommandsAgainstAModel(t *testing.T) {
	t.Parallel()
	// A few runs each time; -rapid.checks=1000 for an hour of doubt.
	for _, c := range []struct {
		name     string
		database func(testing.TB) storetest.Database
		limit    int32
	}{{"sqlite", memory, 40 / slower}, {"postgres", storetest.Postgres, 10 / slower}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := c.limit
			clock := newSettable()
			options := store.Options{Now: clock.now, Doubt: func(err error) { t.Error(err) }}
			s := c.database(t).Open(t, options)
			var paused atomic.Bool
			paused.Store(true)
			e := newEngine(t, s)
			e.Now, e.Paused = clock.now, paused.Load
			b := startEngine(t, e)
			if n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String()); err == nil && n != 100 {
				limit = int32(n)
			}
			var runs atomic.Int32
			rapid.Check(t, func(t *rapid.T) {
				if runs.Add(1) > limit {
					return
				}
				w := &world{bank: b, t: t, clock: clock, paused: &paused, funded: map[giro.Book]map[money.Currency]int64{}, retried: map[giro.UUID]bool{}}
				settings := giro.Merchant{Name: "A", Currency: "BRL", HoldOnMissingFunds: rapid.Bool().Draw(t, "hold"), NegativeBalanceAllowed: rapid.Bool().Draw(t, "negative")}
				if rapid.Bool().Draw(t, "delay") {
					settings.SettlementDelaySeconds = 3600
				}
				var err error
				w.mine, err = b.CreateMerchant(ctxModel, nil, settings)
				w.must(err)
				w.other, err = b.CreateMerchant(ctxModel, nil, giro.Merchant{Name: "B", Currency: "BRL"})
				w.must(err)
				t.Repeat(w.actions())
				w.t = t
				w.end()
			})
			b.verify(t)
		})
	}
}

// memory returns a folder that is not on a disk, where there is one: these tests
// are about rules, and the disk has its own.
func memory(t testing.TB) storetest.Database {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "giro-test-")
	if err != nil {
		return storetest.SQLite(t)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return storetest.Database{Folder: dir}
}
