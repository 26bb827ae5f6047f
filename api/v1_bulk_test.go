package api_test

import (
	"fmt"
	"strings"
	"testing"

	"giro"
)

// TestLargestBulk makes as many transfers and payouts as one request may, in one
// commit each, and one more than that.
func TestLargestBulk(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		bulk := func(noun, item string, n int) string {
			return `{"` + noun + `":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
		}
		transfer := fmt.Sprintf(`{"amount":1,"currency":"usd","destination":%q}`, h.vars["account"])
		payout := `{"amount":1,"currency":"usd","provider":"bank","bank":{"method":"pix","key":"ana@example.com"},"recipient":{"name":"Ana","document":{"type":"CPF","country":"BR","number":"` + h.vars["cpf"] + `"}}}`
		before, _ := h.engine.BatchStats()
		for noun, item := range map[string]string{"transfers": transfer, "payouts": payout} {
			a := h.send(t, "POST /v1/"+noun+"/bulk", []string{"Idempotency-Key: " + noun}, bulk(noun, item, giro.BulkMax))
			if a.status != 200 || a.text("made") != "1000" || a.text("refused") != "0" {
				t.Fatalf("%s: %d %.300s", noun, a.status, a.body)
			}
			if a := h.send(t, "POST /v1/"+noun+"/bulk", nil, bulk(noun, item, giro.BulkMax+1)); a.status != 400 || a.code() != "json_too_large" {
				t.Errorf("%s: one more: %d %.300s", noun, a.status, a.body)
			}
		}
		if after, _ := h.engine.BatchStats(); after-before != 2 {
			t.Errorf("%d batches", after-before)
		}
		h.verified(t)
	})
}
