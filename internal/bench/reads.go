package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// reads measures every way to read a list, each as a result of its own.
func (b *bench) reads(ctx context.Context, w *world, clients int, rate float64, r Result) error {
	paths, err := w.listings()
	if err != nil {
		return err
	}
	for _, path := range paths {
		before := w.server.figures()
		s, err := drive(ctx, w.server.address, load{clients: clients, rate: rate, count: b.Requests, warm: b.WarmUp / 4, duration: b.Duration},
			func(out []byte, _, _ int) []byte { return w.read(out, path) })
		if err != nil {
			return err
		}
		after := w.server.figures()
		one := r
		one.Work = "reads " + path
		s.fill(&one)
		one.CPU = round((after.cpu-before.cpu).Seconds()*1e6/float64(max(1, one.Requests+s.warm)), 1)
		one.RSS = round(float64(after.rss)/(1<<20), 1)
		if err := b.each(one); err != nil {
			return err
		}
		if s.unexpected != "" {
			fmt.Fprintf(b.Log, "%s: an answer that was not wanted: %s\n", path, s.unexpected)
		}
	}
	return nil
}

// listings returns the paths of the lists: with filters that fit much, little and
// nothing, with values of a payout that is there; far down by page number; and
// what else looks at many rows.
func (w *world) listings() ([]string, error) {
	body, err := w.server.get("/v1/payouts?limit=100", w.server.key)
	if err != nil {
		return nil, err
	}
	var page []struct {
		Reference, Customer string
		Created             int64
		Metadata            map[string]string
	}
	if err := json.Unmarshal(body, &page); err != nil || len(page) == 0 {
		return nil, fmt.Errorf("no payout to take the filters from: %w", err)
	}
	body, err = w.server.get("/v1/payouts?page=1", w.server.key)
	if err != nil {
		return nil, err
	}
	var all struct {
		Pages int `json:"total_pages"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	const day = 24 * 60 * 60
	made := page[len(page)-1].Created
	paths := []string{
		"/v1/balances", "/v1/accounts", "/v1/events", "/v1/events?types=payout.failed", "/v1/events?types=charge.created",
		"/v1/ledger/transactions", "/v1/ledger/trial_balance", "/v1/search?q=beneficiary",
		fmt.Sprintf("/v1/payouts?page=%d", max(1, all.Pages/2)), fmt.Sprintf("/v1/payouts?page=%d", max(1, all.Pages)),
		fmt.Sprintf("/v1/payouts?page=%d&status=succeeded", max(1, all.Pages/2)),
	}
	for _, filter := range []string{
		"", "status=pending", "status=succeeded", "status=failed", "status=pending,onhold", "currency=brl", "currency=usd", "status=failed&currency=brl", "status=succeeded&currency=usd",
		fmt.Sprintf("created[gte]=%d", made-day), fmt.Sprintf("created[gte]=%d&created[lt]=%d", made-10*day, made-9*day),
		fmt.Sprintf("created[gte]=%d&created[lt]=%d&status=failed", made-10*day, made-9*day),
		"amount[gte]=500", "amount[gte]=999", "amount[gt]=100000000", "metadata[order]=none", "reference=none", "method=none", "rail=none", "failure_code=none&status=succeeded",
	} {
		paths = append(paths, "/v1/payouts?"+filter)
	}
	for _, filter := range []string{"status=pending", "status=succeeded", "amount[gt]=100000000"} {
		paths = append(paths, "/v1/transfers?"+filter)
	}
	for _, p := range page {
		if p.Reference == "" || p.Customer == "" || p.Metadata["order"] == "" {
			continue
		}
		reference, order := url.QueryEscape(p.Reference), url.QueryEscape(p.Metadata["order"])
		return append(paths, "/v1/payouts?reference="+reference, "/v1/search?q="+reference, "/v1/search?q="+order, "/v1/payouts?metadata[order]="+order,
			"/v1/payouts?customer="+p.Customer, "/v1/payouts?customer="+p.Customer+"&status=failed",
			fmt.Sprintf("/v1/payouts?customer=%s&created[lt]=%d", p.Customer, made-9*day)), nil
	}
	return paths, nil
}
