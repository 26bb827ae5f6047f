package giro_test

import (
	"sync"
	"testing"
	"time"

	"giro"
	"giro/money"
)

func TestRates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, out string }{
		{"5.06", "5.06"}, {"5", "5.00"}, {"0.00000001", "0.00000001"}, {"5.060", "5.06"}, {"1000000000", ""}, {"999999999", "999999999.00"},
		{"", ""}, {".5", ""}, {"5.", ""}, {"0", ""}, {"0.000000001", ""}, {"-1", ""}, {"1e3", ""}, {"5,06", ""}, {"٣", ""},
	} {
		r, err := giro.ParseRate(c.in)
		if c.out == "" {
			if !giro.Is(err, giro.CodeInvalidFormat) {
				t.Errorf("%q is read as %v, %v", c.in, r, err)
			}
			continue
		}
		if err != nil || r.String() != c.out {
			t.Errorf("%q is %s, %v; want %s", c.in, r, err, c.out)
		}
	}
	for _, c := range []struct {
		rate     string
		amount   int64
		from, to money.Currency
		want     int64
	}{
		{"5.06", 98000, "USD", "BRL", 495880}, // the published example: 980 at 5.06 is 4958.80
		{"4000", 250, "USD", "CLP", 10000},    // two places to none
		{"0.25", 100, "JPY", "USD", 2500},
		{"0.307", 1000, "USD", "KWD", 3070}, // two places to three
	} {
		r, err := giro.ParseRate(c.rate)
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Exchange(c.amount, c.from, c.to)
		if err != nil || x.Amount != c.want || x.Currency != c.to {
			t.Errorf("%d %s at %s is %+v, %v; want %d", c.amount, c.from, c.rate, x, err, c.want)
		}
	}
	if r, _ := giro.ParseRate("0.00000001"); r == 0 {
		t.Error("the smallest rate is not read")
	} else if _, err := r.Exchange(1, "USD", "BRL"); !giro.Is(err, giro.CodeAmountTooSmall) {
		t.Errorf("nothing arrives: %v", err)
	}
}

// exchanged is a payout that debits dollars and arrives as reais.
func (b *bank) exchanged(t *testing.T, amount int64) giro.Request {
	t.Helper()
	rate, err := b.Rate(t.Context(), b.call.Book(), "USD", "BRL")
	if err != nil {
		t.Fatal(err)
	}
	req := pixPayout(amount)
	req.Currency = "USD"
	if req.Exchange, err = rate.Exchange(amount, "USD", "BRL"); err != nil {
		t.Fatal(err)
	}
	return req
}

// sums returns the balances of a currency's accounts by role, the clearing ones
// by name.
func (b *bank) sums(t *testing.T, currency money.Currency) map[string]int64 {
	t.Helper()
	as, _, err := b.Store.Accounts(t.Context(), giro.AccountQuery{Book: b.call.Book()})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, a := range as {
		if a.Currency == currency {
			name := string(a.Role)
			if a.Role == giro.RoleClearing {
				name = a.Name
			}
			sums[name] += a.Balance
		}
	}
	return sums
}

func TestExchangedPayouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outcome  string
		end      giro.Status
		usd, brl map[string]int64
	}{
		{"succeeded", giro.StatusSucceeded, map[string]int64{"available": 0, "exchange": 100, "reserved": 0}, map[string]int64{"exchange": -500, "sandbox": 500 - 100_000_000}},
		{"failed", giro.StatusFailed, map[string]int64{"available": 100, "exchange": 0, "reserved": 0}, map[string]int64{"exchange": 0, "sandbox": -100_000_000}},
		{"returned", giro.StatusReturned, map[string]int64{"available": 0, "exchange": 0, "returns": 100}, map[string]int64{"exchange": 0, "sandbox": -100_000_000}},
		{"refunded", giro.StatusRefunded, map[string]int64{"available": 100, "exchange": 0, "returns": 0}, map[string]int64{"exchange": 0, "sandbox": -100_000_000}},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, b *bank) {
				if _, err := b.Fund(t.Context(), b.call, "USD", 100); err != nil {
					t.Fatal(err)
				}
				call := *b.call
				call.Simulate = c.outcome
				r, err := b.CreatePayout(t.Context(), &call, b.exchanged(t, 100))
				if err != nil {
					t.Fatal(err)
				}
				b.until(t, r.Movement, c.end)
				for currency, want := range map[money.Currency]map[string]int64{"USD": c.usd, "BRL": c.brl} {
					got := b.sums(t, currency)
					for name, v := range want {
						if got[name] != v {
							t.Errorf("%s %s is %d, want %d", currency, name, got[name], v)
						}
					}
				}
				amount := int64(50)
				if _, err := b.Update(t.Context(), b.call, giro.KindPayout, r.Movement.ID, giro.Change{Amount: &amount}); !giro.Is(err, giro.CodeInvalidState) {
					t.Errorf("its amount was changed: %v", err)
				}
			})
		})
	}
}

func TestExchangedChargeAndItsRefunds(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		req := b.exchanged(t, 1000)
		req.Bank = &giro.Bank{Method: "pix"}
		r, err := b.CreateCharge(t.Context(), b.call, req)
		if err != nil {
			t.Fatal(err)
		}
		if r.Movement.Detail.Next == nil || r.Movement.Detail.Next.BRCode == "" {
			t.Fatal("an exchanged charge has no code to pay")
		}
		if _, err := b.TestOutcome(t.Context(), b.call, giro.KindCharge, r.Movement.ID, "succeeded", ""); err != nil {
			t.Fatal(err)
		}
		if usd, brl := b.sums(t, "USD"), b.sums(t, "BRL"); usd["available"] != 1000 || usd["exchange"] != -1000 || brl["exchange"] != 5000 {
			t.Fatalf("after the payment: %v %v", usd, brl)
		}
		refund, err := b.CreateRefund(t.Context(), b.call, giro.Request{Charge: r.Movement.ID, Amount: 400})
		if err != nil {
			t.Fatal(err)
		}
		b.until(t, refund.Movement, giro.StatusSucceeded)
		if usd, brl := b.sums(t, "USD"), b.sums(t, "BRL"); usd["available"] != 600 || usd["exchange"] != -600 || brl["exchange"] != 3000 {
			t.Fatalf("after the refund: %v %v", usd, brl)
		}
	})
}

func TestRatesOfAMerchant(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		live := &giro.Call{Merchant: b.merchant, Live: true}
		if _, err := b.Rate(t.Context(), live.Book(), "USD", "BRL"); !giro.Is(err, giro.CodeCurrencyMismatch) {
			t.Errorf("live mode has a rate that nobody set: %v", err)
		}
		rate, _ := giro.ParseRate("5.0637")
		for range 2 {
			if err := b.SetRate(t.Context(), live, giro.RatePair{From: "USD", To: "BRL", Rate: rate}); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := b.Rate(t.Context(), live.Book(), "USD", "BRL"); err != nil || r != rate {
			t.Errorf("live rate %v, %v", r, err)
		}
		if r, err := b.Rate(t.Context(), b.call.Book(), "USD", "BRL"); err != nil || r.String() != "5.00" {
			t.Errorf("the sandbox's rate is %v, %v", r, err)
		}
		list, err := b.Rates(t.Context(), live.Book())
		if err != nil || len(list) != 1 || list[0].Rate != rate {
			t.Errorf("rates %v, %v", list, err)
		}
	})
}

func TestQuoteIsUsedOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		if _, err := b.Fund(t.Context(), b.call, "USD", 1000); err != nil {
			t.Fatal(err)
		}
		q, err := b.CreateQuote(t.Context(), b.call, 100, "USD", "BRL")
		if err != nil || q.Arrives != 500 {
			t.Fatal(q, err)
		}
		payout := func(reference string) (*giro.Result, error) {
			req := pixPayout(q.Amount)
			req.Currency, req.Exchange, req.Quote, req.Reference = q.Currency, q.Exchange(), q.ID, reference
			return b.CreatePayout(t.Context(), b.call, req)
		}
		var mu sync.Mutex
		made, refused := map[giro.UUID]bool{}, 0
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				r, err := payout(string(rune('a' + i%10))) // each reference twice
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made[r.Movement.ID] = true
				case giro.Is(err, giro.CodeQuoteUsed):
					refused++
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wait.Wait()
		if len(made) != 1 || refused != 18 {
			t.Errorf("%d payouts from one quote, %d refused", len(made), refused)
		}
		late, err := b.CreateQuote(t.Context(), b.call, 100, "USD", "BRL")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.ChangeClock(t.Context(), b.call, giro.ClockChange{Advance: giro.QuoteLife + time.Second}); err != nil {
			t.Fatal(err)
		}
		q = late
		if _, err := payout("late"); !giro.Is(err, giro.CodeQuoteExpired) {
			t.Errorf("an expired quote: %v", err)
		}
	})
}

func TestCustomerIsMadeOnFirstUse(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				req := pixPayout(100)
				req.CustomerReference, req.NewCustomer = "c-1", &giro.Party{Name: "Ana"}
				if _, err := b.CreatePayout(t.Context(), b.call, req); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		d, err := b.Store.Documents(t.Context(), giro.DocumentQuery{Kind: giro.DocCustomer, Book: b.call.Book(), Limit: 10})
		if err != nil || len(d) != 1 {
			t.Fatalf("%d customers, %v", len(d), err)
		}
		list, _, err := b.Store.Movements(t.Context(), giro.MovementQuery{Book: b.call.Book(), Kind: giro.KindPayout, Customer: d[0].ID, Limit: 10})
		if err != nil || len(list) != 8 {
			t.Errorf("%d payouts of the customer, %v", len(list), err)
		}
	})
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		made, err := b.CreateClient(t.Context(), b.call, b.merchant, false, "jumppag")
		if err != nil {
			t.Fatal(err)
		}
		c, secret := made.Client, made.Secret
		token, _, err := b.IssueToken(t.Context(), c.ClientID, secret, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, m, profile, err := b.AccessToken(t.Context(), token); err != nil || got.ID != c.ID || m.ID != b.merchant.ID || profile != "jumppag" {
			t.Fatal(got, m, profile, err)
		}
		other, _, err := b.IssueToken(t.Context(), c.ClientID, secret, "smartfastpay")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, profile, err := b.AccessToken(t.Context(), other); err != nil || profile != "smartfastpay" {
			t.Error(profile, err)
		}
		for _, pair := range [][2]string{{c.ClientID, secret + "x"}, {c.ClientID, ""}, {"nobody", secret}, {"", ""}} {
			if _, _, err := b.IssueToken(t.Context(), pair[0], pair[1], ""); !giro.Is(err, giro.CodeUnauthenticated) {
				t.Errorf("%q: %v", pair, err)
			}
		}
		for i := range token {
			changed := []byte(token)
			changed[i] ^= 1
			if _, _, _, err := b.AccessToken(t.Context(), string(changed)); !giro.Is(err, giro.CodeUnauthenticated) {
				t.Fatalf("a token changed at %d: %v", i, err)
			}
		}
		early := newEngine(t, b.Store)
		early.Now = func() time.Time { return time.Now().Add(-giro.AccessTokenLife - time.Second) }
		expired, _, err := early.IssueToken(t.Context(), c.ClientID, secret, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.AccessToken(t.Context(), expired); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Errorf("an expired token: %v", err)
		}
		if err := b.RevokeClient(t.Context(), &giro.Call{Merchant: b.merchant, Live: true}, c.ID); !giro.Is(err, giro.CodeNotFound) {
			t.Errorf("the other mode revokes it: %v", err)
		}
		if err := b.RevokeClient(t.Context(), b.call, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.AccessToken(t.Context(), token); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Errorf("a revoked client's token: %v", err)
		}
		if _, _, err := b.IssueToken(t.Context(), c.ClientID, secret, ""); !giro.Is(err, giro.CodeUnauthenticated) {
			t.Errorf("a revoked client gets a token: %v", err)
		}
	})
}
