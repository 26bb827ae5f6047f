package api_test

import (
	"context"
	"testing"
	"time"

	"giro"
)

// waiting is a store that removes nothing before it is let.
type waiting struct {
	giro.Store
	let chan struct{}
}

func (s *waiting) Wipe(ctx context.Context, wiping *giro.BookHead, stage, limit int) (int, error) {
	select {
	case <-s.let:
	case <-time.After(time.Minute):
	}
	return s.Store.Wipe(ctx, wiping, stage, limit)
}

// TestWhoMayWipe: owners, admins and secret test keys, and nobody anything live.
func TestWhoMayWipe(t *testing.T) {
	onBothOffices(t, func(t *testing.T, o *office) {
		o.t = t
		charge := o.want(o.ask(nil, "POST", "/v1/charges", `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`, "Authorization: Bearer "+o.secret), 201, "").text("id")
		there := func() {
			t.Helper()
			o.want(o.ask(nil, "GET", "/v1/charges/"+charge, "", "Authorization: Bearer "+o.secret), 200, "")
			if a := o.want(o.ask(nil, "GET", "/v1/test/data", "", "Authorization: Bearer "+o.secret), 200, ""); a.text("status") != "ready" {
				t.Fatalf("%s", a.body)
			}
		}
		for _, duty := range giro.Duties {
			if duty == giro.DutyOwner || duty == giro.DutyAdmin {
				continue
			}
			cookie := o.person(duty)
			o.want(o.ask(cookie, "POST", "/v1/test/wipe", ""), 403, "forbidden")
			o.want(o.ask(cookie, "POST", "/v1/test/wipe", "", "Giro-Mode: live"), 403, "")
			there()
		}
		admin := o.person(giro.DutyAdmin)
		o.want(o.ask(admin, "POST", "/v1/test/wipe", "", "Giro-Mode: live"), 403, "test_mode_only")
		live, err := o.engine.CreateKeySet(t.Context(), o.merchant, true)
		if err != nil {
			t.Fatal(err)
		}
		o.want(o.ask(nil, "POST", "/v1/test/wipe", "", "Authorization: Bearer "+live.SecretKey), 403, "test_mode_only")
		o.want(o.ask(nil, "GET", "/v1/test/data", "", "Authorization: Bearer "+live.SecretKey), 403, "test_mode_only")
		o.want(o.ask(nil, "POST", "/v1/test/wipe", "", "Authorization: Bearer adm_of_this_test"), 403, "forbidden")
		there()
		o.want(o.ask(admin, "POST", "/v1/test/wipe", ""), 202, "")
	})
}

// TestNoPartOfAWipedBookIsShown: from the commit that closes it until it is empty,
// test mode answers no request as if what is left were all.
func TestNoPartOfAWipedBookIsShown(t *testing.T) {
	onBothOfficesWith(t, func(s giro.Store) giro.Store { return &waiting{s, make(chan struct{})} }, func(t *testing.T, o *office) {
		o.t = t
		key := "Authorization: Bearer " + o.secret
		card := `{"amount":1000,"currency":"brl","provider":"card","card":{"token":"tok_ok"}}`
		charge := o.want(o.ask(nil, "POST", "/v1/charges", card, key), 201, "").text("id")
		live, err := o.engine.CreateKeySet(t.Context(), o.merchant, true)
		if err != nil {
			t.Fatal(err)
		}
		owner := o.person(giro.DutyOwner)
		o.want(o.ask(nil, "POST", "/v1/test/wipe", "", key), 202, "")
		for _, path := range []string{"/v1/charges", "/v1/charges/" + charge, "/v1/balances", "/v1/accounts", "/v1/ledger/transactions", "/v1/events", "/v1/customers", "/v1/exports/charges", "/v1/test/clock"} {
			if a := o.want(o.ask(nil, "GET", path, "", key), 503, "unavailable"); a.Header.Get("Retry-After") == "" {
				t.Errorf("%s does not say when to ask again", path)
			}
			o.want(o.ask(owner, "GET", path, ""), 503, "unavailable")
		}
		o.want(o.ask(nil, "POST", "/v1/charges", card, key), 503, "unavailable")
		o.want(o.ask(nil, "POST", "/v1/refunds", `{"charge":"`+charge+`","amount":1}`, key), 503, "unavailable")
		o.want(o.ask(nil, "POST", "/v1/refunds", `{"charge":"ch_01h455vb4pex5vsknk084sn02q","amount":1}`, key), 503, "unavailable")
		o.want(o.ask(nil, "POST", "/v1/test/wipe", "", key), 409, "in_flight")
		o.want(o.ask(nil, "GET", "/v1/charges", "", "Authorization: Bearer "+live.SecretKey), 200, "")
		o.want(o.ask(owner, "GET", "/v1/session", ""), 200, "")
		if a := o.want(o.ask(owner, "GET", "/v1/test/data", ""), 200, ""); a.text("status") != "wiping" {
			t.Fatalf("%s", a.body)
		}

		close(o.engine.Store.(*waiting).let)
		for deadline := time.After(time.Minute); ; {
			changed := o.engine.Committed()
			if a := o.want(o.ask(nil, "GET", "/v1/test/data", "", key), 200, ""); a.text("status") == "ready" {
				break
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatal("the test data was not wiped in a minute")
			}
		}
		o.want(o.ask(nil, "GET", "/v1/charges/"+charge, "", key), 404, "not_found")
		o.want(o.ask(nil, "POST", "/v1/charges", card, key), 201, "")
	})
}
