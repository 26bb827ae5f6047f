package api

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"giro"
	"giro/internal/need"
	"giro/webhook"
)

// dialectMovement is a movement as the dialect makes it.
func dialectMovement(kind giro.Kind, status giro.Status) *giro.Movement {
	m := &giro.Movement{ID: giro.UUID{6: 0x70, 8: 0x80, 15: 7}, Kind: kind, Status: status, Amount: 21321, Currency: "BRL", Reference: "t-1"}
	m.Detail.Wire = json.RawMessage(`{"form":"payin","customer":"c-1","currency":"BRL","method":"pix"}`)
	m.Detail.Notify = &giro.Notify{URL: "https://example.com/cb", Dialect: jumpPag}
	return m
}

func TestNotification(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind                        giro.Kind
		event                       string
		status                      giro.Status
		failure                     string
		want, transaction, typeName string
	}{
		{giro.KindCharge, "succeeded", giro.StatusSucceeded, "", "paid", "paid", "payment"},
		{giro.KindCharge, "failed", giro.StatusFailed, "declined", "denied", "canceled", "payment"},
		{giro.KindCharge, "canceled", giro.StatusCanceled, "", "denied", "canceled", "payment"},
		{giro.KindCharge, "canceled", giro.StatusCanceled, "expired", "expired", "canceled", "payment"},
		{giro.KindCharge, "refunded", giro.StatusRefunded, "", "", "", ""},
		{giro.KindCharge, "created", giro.StatusPending, "", "", "", ""},
		{giro.KindPayout, "succeeded", giro.StatusSucceeded, "", "success", "paid", "payout"},
		{giro.KindPayout, "failed", giro.StatusFailed, "account_closed", "failed", "canceled", "payout"},
		{giro.KindPayout, "canceled", giro.StatusCanceled, "", "failed", "canceled", "payout"},
		{giro.KindPayout, "returned", giro.StatusReturned, "", "returned", "canceled", "payout"},
		{giro.KindPayout, "refunded", giro.StatusRefunded, "", "refunded", "canceled", "payout"},
		{giro.KindPayout, "onhold", giro.StatusOnHold, "", "", "", ""},
		{giro.KindPayout, "in_doubt", giro.StatusPending, "", "", "", ""},
		{giro.KindPayout, "updated", giro.StatusSucceeded, "", "", "", ""},
	} {
		m := dialectMovement(c.kind, c.status)
		m.Detail.FailureCode = c.failure
		n := Notification(m, string(c.kind)+"."+c.event)
		if c.want == "" {
			if n != nil {
				t.Errorf("%s.%s tells %s", c.kind, c.event, n.Body)
			}
			continue
		}
		id := "00000000-0000-7000-8000-000000000007"
		want := `{"requestId":"` + id + `","data":[{"id":"` + id + `","customer_id":"c-1","transaction_id":"t-1","amount":"213.21","status":"` + c.transaction +
			`","type":"` + c.typeName + `","` + c.typeName + `_status":"` + c.want + `","exchange":"1.00"}]}`
		if n == nil || string(n.Body) != want || n.URL != "https://example.com/cb" || n.Profile != jumpPag {
			t.Errorf("%s.%s:\n%+v\nwant %s", c.kind, c.event, n, want)
		}
	}
	m := dialectMovement(giro.KindPayout, giro.StatusSucceeded)
	m.Detail.Notify = nil
	if n := Notification(m, "payout.succeeded"); n != nil {
		t.Error("a movement without a URL tells")
	}
	m = dialectMovement(giro.KindPayout, giro.StatusSucceeded)
	m.Detail.Exchange = &giro.Exchange{Currency: "BRL", Amount: 1, Rate: 552_000_000}
	if n := Notification(m, "payout.succeeded"); !strings.Contains(string(n.Body), `"exchange":"5.52"`) {
		t.Errorf("its exchange: %s", n.Body)
	}
}

// hostile is what ids of callers may hold.
const hostile = "João/ã & <b> \u2028\u2029 \"q\" \\ \\u0008 \b\f\n\r\t\x01\x1f\x7f é 中 😀 \u00a0"

// TestNotificationSurvivesPHP: a receiver that checks the signature over what it
// has decoded and encoded again gets the same bytes.
func TestNotificationSurvivesPHP(t *testing.T) {
	t.Parallel()
	m := dialectMovement(giro.KindPayout, giro.StatusSucceeded)
	m.Reference = hostile
	wire, err := json.Marshal(dialectWire{Customer: hostile})
	if err != nil {
		t.Fatal(err)
	}
	m.Detail.Wire = wire
	body := Notification(m, "payout.succeeded").Body
	var back struct {
		Data []map[string]string
	}
	if err := json.Unmarshal(body, &back); err != nil || back.Data[0]["customer_id"] != hostile || back.Data[0]["transaction_id"] != hostile {
		t.Fatalf("%v: %s", err, body)
	}
	at := time.Now()
	signature := webhook.SignSmartFastPay("my-secret", at, body)
	c := exec.Command(need.Program(t, "php"), "-r", `echo json_encode(json_decode(file_get_contents("php://stdin"), true), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);`)
	c.Stdin = strings.NewReader(string(body))
	again, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook.VerifySmartFastPay(signature, again, "my-secret", time.Minute, at); err != nil {
		t.Errorf("%v\nsent  %s\nagain %s", err, body, again)
	}
}

// TestEveryErrorInTheDialect: every code has a word of the closed list, and no
// status at which clients of the dialect post blindly again.
func TestEveryErrorInTheDialect(t *testing.T) {
	t.Parallel()
	words := map[string]int{"INVALID_REQUEST": 400, "UNAUTHORIZED": 401, "FORBIDDEN": 403, "NOT_FOUND": 404, "CONFLICT": 409, "TOO_MANY_REQUESTS": 429, "INTERNAL_ERROR": 500}
	seen := map[string]bool{}
	for code := range explanations {
		word, status := smartFastPayStatus(&giro.Error{Code: code})
		if words[word] != status {
			t.Errorf("%s is %s with %d", code, word, status)
		}
		seen[word] = true
	}
	for word := range words {
		if !seen[word] {
			t.Errorf("no code is %s", word)
		}
	}
	for code, want := range map[giro.Code]string{
		giro.CodeDuplicateReference: "CONFLICT", giro.CodeInsufficientFunds: "CONFLICT", giro.CodeQuoteUsed: "CONFLICT", giro.CodeUnavailable: "TOO_MANY_REQUESTS",
		giro.CodeKeyInvalid: "INVALID_REQUEST", giro.CodeMissingField: "INVALID_REQUEST", giro.CodeBodyTooLarge: "INVALID_REQUEST", giro.CodeKeyRevoked: "UNAUTHORIZED",
		giro.CodeRouteUnknown: "NOT_FOUND", giro.CodeMethodNotAllowed: "NOT_FOUND", giro.CodeTestModeOnly: "FORBIDDEN", giro.CodeInternal: "INTERNAL_ERROR",
	} {
		if word, _ := smartFastPayStatus(&giro.Error{Code: code}); word != want {
			t.Errorf("%s is %s, want %s", code, word, want)
		}
	}
}

// TestDialectViews: every status of a movement that can stand in a list of the
// dialect is told.
func TestDialectViews(t *testing.T) {
	t.Parallel()
	for _, kind := range []giro.Kind{giro.KindCharge, giro.KindPayout} {
		for _, status := range giro.Statuses {
			found := 0
			for _, v := range dialectViews {
				if v.kind == kind && v.status == status && v.variant == "" {
					found++
				}
			}
			if want := 1; found != want && !(kind == giro.KindCharge && status == giro.StatusReturned) {
				t.Errorf("%s %s is told in %d ways", kind, status, found)
			}
		}
	}
}
