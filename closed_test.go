package giro_test

import (
	"testing"
	"time"

	"giro"
)

// TestClosedAccount: what a rail brings to a sub-account that was closed
// meanwhile goes to the main account, and the closed one stays empty. What a
// person asks of a closed account is refused, but for a payer's refund.
func TestClosedAccount(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		ctx := t.Context()
		must := func(r *giro.Result, err error) *giro.Movement {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return r.Movement
		}
		mains, _, err := b.Store.Accounts(ctx, giro.AccountQuery{Book: b.call.Book(), Roles: []giro.Role{giro.RoleAvailable}})
		if err != nil || len(mains) != 1 {
			t.Fatal(mains, err)
		}
		on := func(req giro.Request, sub giro.UUID) giro.Request { req.Account = sub; return req }
		charged := func(sub giro.UUID) *giro.Movement {
			t.Helper()
			return must(b.CreateCharge(ctx, b.call, on(cardCharge(2_000_000, "tok_ok"), sub)))
		}
		paid := func(sub giro.UUID, amount int64, status giro.Status) *giro.Movement {
			t.Helper()
			charged(sub)
			return b.until(t, must(b.CreatePayout(ctx, b.call, on(pixPayout(amount), sub))), status)
		}
		for _, c := range []struct {
			name   string
			begin  func(sub giro.UUID) *giro.Movement
			after  func(m *giro.Movement) (*giro.Result, error)
			code   giro.Code // of after; empty: it is taken
			status giro.Status
			main   int64 // what the main account gains
		}{
			{"a charge is paid", func(sub giro.UUID) *giro.Movement {
				return must(b.CreateCharge(ctx, b.call, on(cardCharge(1000, "tok_pending"), sub)))
			}, func(m *giro.Movement) (*giro.Result, error) {
				return b.TestOutcome(ctx, b.call, giro.KindCharge, m.ID, "succeeded", "")
			}, "", giro.StatusSucceeded, 1000},
			{"a returned payout is credited back", func(sub giro.UUID) *giro.Movement {
				return paid(sub, 600, giro.StatusSucceeded)
			}, func(m *giro.Movement) (*giro.Result, error) {
				must(b.TestOutcome(ctx, b.call, giro.KindPayout, m.ID, "returned", ""))
				return b.CreditBack(ctx, b.call, m.ID)
			}, "", giro.StatusRefunded, 600},
			{"a refund comes back", func(sub giro.UUID) *giro.Movement {
				return b.until(t, must(b.CreateRefund(ctx, b.call, giro.Request{Charge: charged(sub).ID, Amount: 400})), giro.StatusSucceeded)
			}, func(m *giro.Movement) (*giro.Result, error) {
				return b.TestOutcome(ctx, b.call, giro.KindRefund, m.ID, "returned", "")
			}, "", giro.StatusReturned, 400},
			{"a payer is given back", charged, func(m *giro.Movement) (*giro.Result, error) {
				return b.CreateRefund(ctx, b.call, giro.Request{Charge: m.ID, Amount: 300})
			}, "", giro.StatusSucceeded, -300},
			{"a refund that fails goes back to where it came from", func(sub giro.UUID) *giro.Movement {
				return must(b.CreateCharge(ctx, b.call, on(cardCharge(1000, "tok_refund_fail"), sub)))
			}, func(m *giro.Movement) (*giro.Result, error) {
				return b.CreateRefund(ctx, b.call, giro.Request{Charge: m.ID, Amount: 300})
			}, "", giro.StatusFailed, 0},
			{"a payout held for missing funds", func(sub giro.UUID) *giro.Movement {
				mer := *b.merchant
				mer.HoldOnMissingFunds = true
				return must(b.CreatePayout(ctx, &giro.Call{Merchant: &mer}, on(pixPayout(600), sub)))
			}, func(m *giro.Movement) (*giro.Result, error) { return b.Release(ctx, b.call, giro.KindPayout, m.ID) }, giro.CodeAccountClosed, giro.StatusOnHold, 0},
			{"a transfer is reversed", func(sub giro.UUID) *giro.Movement {
				charged(sub)
				return must(b.CreateTransfer(ctx, b.call, giro.Request{Amount: 200, Currency: "BRL", Account: sub, Destination: mains[0].ID}))
			}, func(m *giro.Movement) (*giro.Result, error) { return b.ReverseTransfer(ctx, b.call, m.ID, 0) }, giro.CodeAccountClosed, giro.StatusSucceeded, 0},
			{"a payout is asked for again", func(sub giro.UUID) *giro.Movement {
				return paid(sub, 10_091_00, giro.StatusFailed)
			}, func(m *giro.Movement) (*giro.Result, error) { return b.RetryPayout(ctx, b.call, m.ID, "") }, giro.CodeAccountClosed, giro.StatusFailed, 0},
		} {
			// One that could fall below zero while it was open.
			a, err := b.CreateAccount(ctx, b.call, c.name, "BRL", c.status != giro.StatusOnHold, nil)
			if err != nil {
				t.Fatal(err)
			}
			balance := func(id giro.UUID) *giro.Account {
				t.Helper()
				found, _, err := b.Store.Accounts(ctx, giro.AccountQuery{Book: b.call.Book(), IDs: []giro.UUID{id}})
				if err != nil || len(found) != 1 {
					t.Fatal(found, err)
				}
				return found[0]
			}
			m := c.begin(a.ID)
			switch left := balance(a.ID).Balance; {
			case left > 0:
				must(b.CreateTransfer(ctx, b.call, giro.Request{Amount: left, Currency: "BRL", Account: a.ID, Destination: mains[0].ID}))
			case left < 0:
				must(b.CreateTransfer(ctx, b.call, giro.Request{Amount: -left, Currency: "BRL", Destination: a.ID}))
			}
			if _, err := b.CloseAccount(ctx, b.call, a.ID); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			before := balance(mains[0].ID).Balance
			r, err := c.after(m)
			switch {
			case c.code != "" && !giro.Is(err, c.code):
				t.Errorf("%s: %v", c.name, err)
			case c.code == "":
				m = must(r, err)
			}
			if now := b.until(t, m, c.status); now.Detail.Account != a.ID && m.Kind != giro.KindTransfer {
				t.Errorf("%s: the movement names account %s", c.name, now.Detail.Account)
			}
			if got := balance(mains[0].ID).Balance - before; got != c.main { // the outcome is final by now
				t.Errorf("%s: the main account gained %d, want %d", c.name, got, c.main)
			}
			if now := balance(a.ID); now.Balance != 0 || !now.Closed {
				t.Errorf("%s: the closed account is %+v", c.name, now)
			}
		}

		// Captured, and settled after the account was closed.
		slow, err := b.MerchantByID(ctx, b.merchant.ID)
		if err != nil {
			t.Fatal(err)
		}
		slow.SettlementDelaySeconds = 3600
		if slow, err = b.UpdateMerchant(ctx, b.call, slow); err != nil {
			t.Fatal(err)
		}
		call := &giro.Call{Merchant: slow}
		a, err := b.CreateAccount(ctx, b.call, "slow", "BRL", false, nil)
		if err != nil {
			t.Fatal(err)
		}
		must(b.CreateCharge(ctx, call, on(cardCharge(700, "tok_ok"), a.ID)))
		if _, err := b.CloseAccount(ctx, b.call, a.ID); err != nil {
			t.Fatal(err)
		}
		pending, before := b.balance(t, giro.RolePending), b.balance(t, giro.RoleAvailable)
		if _, err := b.ChangeClock(ctx, b.call, giro.ClockChange{Advance: 2 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.After(20 * time.Second); ; {
			committed := b.Committed() // before looking, so that no commit falls between
			if b.balance(t, giro.RolePending) == pending-700 {
				break
			}
			select {
			case <-committed:
			case <-deadline:
				t.Fatal("the charge was never settled")
			}
		}
		if got := b.balance(t, giro.RoleAvailable) - before; got != 700 {
			t.Errorf("the main account gained %d by the settlement", got)
		}
		if n := b.balance(t, giro.RoleSub); n != 0 {
			t.Errorf("the closed accounts hold %d", n)
		}
	})
}
