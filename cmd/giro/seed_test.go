package main

import (
	"encoding/json"
	"strings"
	"testing"

	"giro/internal/pgtest"
)

// TestSeed: what seed fills a store with adds up, payouts have their outcomes, and
// the store is served afterwards.
func TestSeed(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgresql"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			place := []string{"--data", t.TempDir()}
			if database == "postgresql" {
				place = append(place, "--database", pgtest.Open(t))
			}
			out := run(t, append([]string{"seed", "--movements", "400", "--accounts", "7", "--at-once", "60", "--json"}, place...)...)
			var keys struct {
				Keys struct {
					Test struct {
						Secret string `json:"secret_key"`
					}
				}
			}
			if line, _, _ := strings.Cut(out, "\n"); json.Unmarshal([]byte(line), &keys) != nil || keys.Keys.Test.Secret == "" {
				t.Fatalf("seed printed %s", out)
			}
			var report struct {
				OK        bool
				Movements int
			}
			// A transfer to each account comes before the movements.
			if out := run(t, append([]string{"verify", "--json"}, place...)...); json.Unmarshal([]byte(out), &report) != nil || !report.OK || report.Movements != 407 {
				t.Fatalf("verify: %s", out)
			}
			s := serveWith(t, place...)
			for path, want := range map[string]string{
				"/v1/payouts?page=1":                              `"total_items":120,`,
				"/v1/payouts?page=1&status=failed":                `"total_items":4,`,
				"/v1/payouts?page=1&status=pending":               `"total_items":0,`,
				"/v1/transfers?page=1&status=succeeded":           `"total_items":287,`,
				"/v1/payouts?metadata[order]=A-399":               `"reference":"seed-399"`,
				"/v1/search?q=A-397":                              `"title":"seed-397"`,
				"/v1/payouts?reference=seed-398&status=succeeded": `"amount_refunded":0`,
				"/v1/events?types=payout.failed&limit=1":          `"type":"payout.failed"`,
			} {
				if status, body, err := s.do("GET", path, keys.Keys.Test.Secret, ""); err != nil || status != 200 || !strings.Contains(string(body), want) {
					t.Errorf("%s: %d %.300s %v; want %s in it", path, status, body, err, want)
				}
			}
		})
	}
}
