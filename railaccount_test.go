package giro_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
)

// told is a rail that says what a test has put into it, and takes messages of
// the form "id instruction instruction …".
type told struct {
	mu      sync.Mutex
	says    map[string]giro.Outcome
	lost    bool
	lookups int
	submits int
}

func (r *told) Submit(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.submits++
	return giro.Outcome{Verdict: giro.VerdictPending, After: time.Hour}, nil
}

func (r *told) Lookup(_ context.Context, in giro.Instruction) (giro.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookups++
	if r.lost {
		return giro.Outcome{}, errors.New("no answer")
	}
	o, ok := r.says[in.ID]
	if !ok {
		return giro.Outcome{Verdict: giro.VerdictPending, After: time.Hour}, nil
	}
	return o, nil
}

func (r *told) Read(_ context.Context, _ giro.Book, header func(string) string, body []byte) (giro.Message, error) {
	if header("Signature") != "good" {
		return giro.Message{}, giro.Refuse(giro.CodeUnauthenticated, "Signature", "not the provider's")
	}
	words := strings.Fields(string(body))
	return giro.Message{ID: words[0], Instructions: words[1:]}, nil
}

func (r *told) Refunds() bool { return false }

func (r *told) say(instruction string, v giro.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.says[instruction] = giro.Outcome{Verdict: v}
}

func (r *told) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lookups
}

func signed(good string) func(string) string { return func(string) string { return good } }

// TestMessagesAreHintsAndAnswersOutcomes: a provider's message is kept once and
// makes giro ask; what the answer says moves the movement on, never back.
func TestMessagesAreHintsAndAnswersOutcomes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		r := &told{says: map[string]giro.Outcome{}}
		b.Rails["told"] = r
		var alerts bytes.Buffer
		var mu sync.Mutex
		b.Logf = func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&alerts, format+"\n", args...)
		}
		ctx := t.Context()
		m := *b.call.Merchant
		m.Rails = map[string]string{"bank": "told"}
		mer, err := b.UpdateMerchant(ctx, &giro.Call{Merchant: &m, Admin: true}, &m)
		if err != nil {
			t.Fatal(err)
		}
		call := &giro.Call{Merchant: mer, Live: true}
		if _, err := b.Fund(ctx, call, "BRL", 1_000_000); err != nil {
			t.Fatal(err)
		}
		serial := 0
		heard := func(id string, instructions ...string) {
			t.Helper()
			if id == "" {
				serial++
				id = fmt.Sprint("m", serial)
			}
			if err := b.Heard(ctx, mer, "told", signed("good"), []byte(id+" "+strings.Join(instructions, " "))); err != nil {
				t.Fatal(err)
			}
		}
		settle := func() {
			t.Helper()
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			if err := b.Drain(ctx, giro.Micros(time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		// eventually waits for what a job of the engine does.
		eventually := func(what string, done func() bool) {
			t.Helper()
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			for {
				changed := b.Committed()
				if done() {
					return
				}
				poll := time.NewTimer(50 * time.Millisecond) // a job may end without a commit
				select {
				case <-changed:
				case <-poll.C:
				case <-ctx.Done():
					t.Fatal(what)
				}
				poll.Stop()
			}
		}
		payout := func() *giro.Movement {
			t.Helper()
			r, err := b.CreatePayout(ctx, call, pixPayout(1000))
			if err != nil {
				t.Fatal(err)
			}
			eventually("it was not handed over", func() bool {
				now, err := b.Store.Movement(ctx, call.Book(), giro.KindPayout, r.Movement.ID)
				return err == nil && len(now.Detail.Attempts) > 0
			})
			return r.Movement
		}
		step := func(m *giro.Movement) string { return m.ID.ID(m.Kind.Prefix()) + "-1" }

		p := payout()
		if now := b.until(t, p, giro.StatusPending); !now.Sent || now.InDoubt {
			t.Fatal("it was not handed over")
		}
		if err := b.Heard(ctx, mer, "told", signed("bad"), []byte("m0 "+step(p))); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Error(err)
		}
		if err := b.Heard(ctx, mer, "manual", signed("good"), []byte("m0 "+step(p))); !giro.Is(err, giro.CodeNotFound) {
			t.Error(err)
		}
		// What is kept and what is to be asked are of one commit. The count of
		// questions says nothing here: an open instruction is asked about by itself.
		if kept, err := b.Store.Documents(ctx, giro.DocumentQuery{Kind: giro.DocRailMessage, Book: call.Book(), Limit: 1}); err != nil || len(kept) != 0 {
			t.Errorf("a message that is not the provider's is kept (%v)", err)
		}
		r.say(step(p), giro.VerdictSucceeded)
		heard("first", step(p))
		b.until(t, p, giro.StatusSucceeded)
		asked := r.asked()
		for range 10 {
			heard("first", step(p))
		}
		settle()
		if r.asked() != asked {
			t.Errorf("the same message made giro ask %d times more", r.asked()-asked)
		}
		// A contradiction moves nothing, is shown, and is reported.
		r.say(step(p), giro.VerdictFailed)
		heard("", step(p))
		eventually("the contradiction is not in the timeline", func() bool {
			now := b.until(t, p, giro.StatusSucceeded)
			last := now.Detail.Attempts[len(now.Detail.Attempts)-1]
			return last.Act == "message" && last.Result == "failed"
		})
		mu.Lock()
		if !strings.Contains(alerts.String(), "ALERT") || !strings.Contains(alerts.String(), step(p)) {
			t.Errorf("nobody was told: %q", alerts.String())
		}
		mu.Unlock()
		// It came back after all, and then it was credited.
		r.say(step(p), giro.VerdictReturned)
		heard("", step(p))
		b.until(t, p, giro.StatusReturned)
		r.say(step(p), giro.VerdictRefunded)
		heard("", step(p))
		if now := b.until(t, p, giro.StatusRefunded); now.Captured != 1000 || now.Refunded != 1000 {
			t.Error(now.Captured, now.Refunded)
		}
		// An answer that is lost is asked for again, and puts nothing in doubt that
		// was certain.
		q := payout()
		r.say(step(q), giro.VerdictSucceeded)
		heard("", step(q))
		q = b.until(t, q, giro.StatusSucceeded)
		r.mu.Lock()
		r.lost = true
		r.mu.Unlock()
		asked = r.asked()
		heard("", step(q))
		eventually("nobody asked", func() bool { return r.asked() > asked })
		if now := b.until(t, q, giro.StatusSucceeded); now.InDoubt || now.Version != q.Version {
			t.Error("a lost answer about what is certain has changed it")
		}
		asks := func(within time.Duration) int {
			t.Helper()
			due, err := b.Store.Jobs(ctx, call.Book(), giro.Micros(time.Now().Add(within)), 10)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, j := range due {
				if j.Kind == giro.JobAsk {
					n++
				}
			}
			return n
		}
		eventually("it is not asked about again", func() bool { return asks(2*time.Minute) == 1 && asks(0) == 0 })
		r.mu.Lock()
		r.lost = false
		r.mu.Unlock()
		// Without any message too a payout that succeeded is asked about again.
		z := payout()
		r.say(step(z), giro.VerdictSucceeded)
		heard("", step(z))
		b.until(t, z, giro.StatusSucceeded)
		eventually("the next questions are not as they should be", func() bool { return asks(59*time.Minute) == 1 && asks(time.Hour) == 2 })
		// About nothing that is known, of another rail, or of no form: kept, no more.
		heard("", "po_01h455vb4pex5vsknk084sn02q-1", "nonsense", "")
		// A failure that is heard releases the money.
		f := payout()
		r.say(step(f), giro.VerdictFailed)
		heard("", step(f))
		b.until(t, f, giro.StatusFailed)
		kept, err := b.Store.Documents(ctx, giro.DocumentQuery{Kind: giro.DocRailMessage, Book: call.Book(), Limit: 100})
		if err != nil || len(kept) != serial+1 {
			t.Errorf("%d messages are kept of %d (%v)", len(kept), serial+1, err)
		}
		if n := r.submits; n != 4 {
			t.Errorf("%d submissions of 4 payouts", n)
		}
		// The rail has no refunds: a person gives the money back.
		charge, err := b.CreateCharge(ctx, call, giro.Request{Amount: 500, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix"}, Capture: true})
		if err != nil {
			t.Fatal(err)
		}
		r.say(step(charge.Movement), giro.VerdictSucceeded)
		heard("", step(charge.Movement))
		b.until(t, charge.Movement, giro.StatusSucceeded)
		refund, err := b.CreateRefund(ctx, call, giro.Request{Charge: charge.Movement.ID})
		if err != nil || refund.Movement.Detail.Rail != "manual" {
			t.Fatal(refund, err)
		}
		if _, err := b.Confirm(ctx, call, giro.KindRefund, refund.Movement.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestRailAccountsAreSealed: credentials of providers are not in the store as
// they are.
func TestRailAccountsAreSealed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		b.Rails["told"] = &told{}
		ctx, mer := t.Context(), b.call.Merchant
		call := &giro.Call{Merchant: mer, Admin: true}
		account := giro.RailAccount{Rail: "told", BaseURL: "https://api.example.com/", ClientID: "id", ClientSecret: "a very secret secret", NotifyURL: "https://x", AbsentAfterSeconds: 60}
		if _, err := b.PutRailAccount(ctx, call, mer, account); err != nil {
			t.Fatal(err)
		}
		docs, err := b.Store.Documents(ctx, giro.DocumentQuery{Kind: giro.DocRailAccount, Book: giro.BookOf(mer.Number, true), Limit: 10})
		if err != nil || len(docs) != 1 || bytes.Contains(docs[0].Data, []byte("very secret")) {
			t.Error(len(docs), err)
		}
		got, err := b.RailAccount(ctx, mer, "told")
		if err != nil || got.ClientSecret != account.ClientSecret || got.BaseURL != "https://api.example.com" {
			t.Error(got, err)
		}
		got.ClientSecret, got.ClientID = "", "id-2"
		if got, err = b.PutRailAccount(ctx, call, mer, *got); err != nil || got.ClientSecret != account.ClientSecret || got.Version != 2 {
			t.Error(got, err)
		}
		if _, err := b.PutRailAccount(ctx, call, mer, giro.RailAccount{Rail: "manual", ClientSecret: "x"}); !giro.Is(err, giro.CodeNotFound) {
			t.Error(err)
		}
		// Sealed for one merchant, it opens for no other.
		other, err := b.CreateMerchant(ctx, nil, giro.Merchant{Name: "Other"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RailAccount(ctx, other, "told"); !giro.Is(err, giro.CodeNotFound) {
			t.Error(err)
		}
		if err := b.DeleteRailAccount(ctx, call, mer, "told"); err != nil {
			t.Error(err)
		}
		if _, err := b.RailAccount(ctx, mer, "told"); !giro.Is(err, giro.CodeNotFound) {
			t.Error(err)
		}
	})
}
