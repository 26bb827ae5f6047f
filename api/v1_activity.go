package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"giro"
	"giro/money"
)

// activityMax is how many movements of a customer, newest first, are added up
// per kind: what a list shows beside each of its rows must not grow with them.
const activityMax = 100

// trendMoments are the bars of an account's trend: a month with its last day.
const trendMoments = 30

var (
	activityAnswer = &schema{kind: kindObject, name: "CustomerActivity", fields: []field{
		{name: "object", schema: oneOf("customer_activity")}, {name: "customer", schema: idOf("cus")},
		{name: "last", schema: null(plainInteger), about: "Unix seconds: when the newest payment or payout was created."}, {name: "last_at", schema: null(plainText)},
		{name: "volume", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "CustomerVolume", fields: []field{
			{name: "currency", schema: plainText}, {name: "charges", schema: plainInteger}, {name: "captured", schema: plainInteger, about: "By charges, minor units."}, {name: "refunded", schema: plainInteger, about: "Given back of that."},
			{name: "payouts", schema: plainInteger}, {name: "sent", schema: plainInteger, about: "By payouts that arrived, minor units."},
		}}}, about: "Per currency, that of the most movements first."},
		{name: "is_capped", schema: flagSchema, about: "There are more than the newest 100 charges or the newest 100 payouts, which these are."},
	}}
	trendAnswer = &schema{kind: kindObject, name: "AccountTrend", fields: []field{
		{name: "object", schema: oneOf("account_trend")}, {name: "account", schema: idOf("acct")}, {name: "currency", schema: plainText},
		{name: "now", schema: plainInteger, about: "Unix seconds, the moment of the last balance."},
		{name: "balances", schema: &schema{kind: kindList, item: plainInteger}, about: "Minor units, a day apart, oldest first."},
	}}
)

var activityRoutes = []*route{
	{method: "GET", path: "/v1/customers/activity", id: "customerActivity", tag: "customers", summary: "What customers have paid and been paid, and when last", access: accessSecret, status: 200,
		about:  "Of the newest 100 charges and the newest 100 payouts of each, so that it is quick whatever a customer has; is_capped where there are more.",
		params: []param{{name: "ids", kind: paramList, max: 100, about: "The customers. Needed; one that there is not is left out."}},
		answer: &schema{kind: kindList, item: activityAnswer}, errors: []giro.Code{giro.CodeInvalidParameter}, handler: customerActivity},
	{method: "GET", path: "/v1/accounts/trend", id: "accountTrend", tag: "accounts", summary: "The balances of accounts, day by day of the last 30", access: accessSecret, status: 200,
		about:  "Each balance is that of its moment, like an account's with at: 29 moments a day apart, and now.",
		params: []param{{name: "ids", kind: paramList, max: 100, about: "The accounts. Needed; one that there is not is left out."}},
		answer: &schema{kind: kindList, item: trendAnswer}, errors: []giro.Code{giro.CodeInvalidParameter}, handler: accountTrend},
}

// neededIDs reads the parameter ids of a route that is nothing without it.
func (c *call) neededIDs(prefix string) ([]giro.UUID, error) {
	ids, err := c.idsOf(prefix)
	if err == nil && ids == nil {
		err = giro.Refuse(giro.CodeInvalidParameter, "ids", "must be a list of ids that begin with "+prefix+"_")
	}
	return ids, err
}

// volume is what a customer moved in one currency.
type volume struct {
	currency                                  money.Currency
	charges, captured, refunded, payouts, out int64
}

func customerActivity(c *call) error {
	ids, err := c.neededIDs("cus")
	if err != nil {
		return err
	}
	docs, err := c.engine().Store.Documents(c.ctx, giro.DocumentQuery{Kind: giro.DocCustomer, Book: c.book(), Limit: len(ids), IDs: ids})
	if err != nil {
		return err
	}
	b := append(c.buffer[:0], '[')
	for i, d := range docs {
		var volumes []volume
		var last int64
		capped := false
		for _, kind := range []giro.Kind{giro.KindCharge, giro.KindPayout} {
			list, more, err := c.engine().Store.Movements(c.ctx, giro.MovementQuery{Book: c.book(), Kind: kind, Customer: d.ID, Limit: activityMax})
			if err != nil {
				return err
			}
			capped = capped || more
			for _, m := range list {
				last = max(last, m.Created)
				at := slices.IndexFunc(volumes, func(v volume) bool { return v.currency == m.Currency })
				if at < 0 {
					at = len(volumes)
					volumes = append(volumes, volume{currency: m.Currency})
				}
				switch v := &volumes[at]; {
				case kind == giro.KindCharge:
					v.charges, v.captured, v.refunded = v.charges+1, v.captured+m.Captured, v.refunded+m.Refunded
				default:
					v.payouts, v.out = v.payouts+1, v.out+m.Captured-m.Refunded
				}
			}
		}
		slices.SortStableFunc(volumes, func(a, b volume) int {
			return cmp.Or(cmp.Compare(b.charges+b.payouts, a.charges+a.payouts), cmp.Compare(a.currency, b.currency))
		})
		if i > 0 {
			b = append(b, ',')
		}
		a := appender{b: b}
		a.text("object", "customer_activity")
		a.text("customer", d.ID.ID("cus"))
		a.maybeNumber("last", last/time.Second.Microseconds(), last != 0)
		a.maybe("last_at", instant(last))
		a.key("volume")
		a.b = appendList(a.b, volumes, func(b []byte, v volume) []byte {
			one := appender{b: b}
			one.text("currency", v.currency.Lower())
			one.number("charges", v.charges)
			one.number("captured", v.captured)
			one.number("refunded", v.refunded)
			one.number("payouts", v.payouts)
			one.number("sent", v.out)
			return one.close()
		})
		a.flag("is_capped", capped)
		b = a.close()
	}
	c.buffer = append(b, ']')
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

func accountTrend(c *call) error {
	ids, err := c.neededIDs("acct")
	if err != nil {
		return err
	}
	now, err := c.bookNow()
	if err != nil {
		return err
	}
	const day = 24 * int64(time.Hour/time.Microsecond)
	from := now - (trendMoments-1)*day
	balances := map[giro.UUID][]int64{}
	var accounts []*giro.Account
	for i := range int64(trendMoments) {
		q := giro.AccountQuery{Book: c.book(), IDs: ids, Limit: len(ids)}
		if i < trendMoments-1 {
			q.At = from + i*day
		}
		if accounts, _, err = c.engine().Store.Accounts(c.ctx, q); err != nil {
			return err
		}
		for _, a := range accounts {
			balances[a.ID] = append(balances[a.ID], a.Balance)
		}
	}
	return sendList(c, accounts, func(b []byte, account *giro.Account) []byte {
		a := appender{b: b}
		a.text("object", "account_trend")
		a.text("account", account.ID.ID("acct"))
		a.text("currency", account.Currency.Lower())
		a.number("now", now/time.Second.Microseconds())
		a.key("balances")
		a.b = appendList(a.b, balances[account.ID], func(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) })
		return a.close()
	})
}
