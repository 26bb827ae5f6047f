package rail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"giro"
	"giro/bank"
	"giro/money"
)

// SmartFastPay carries live payouts and pay-ins through a provider that speaks
// the SmartFastPay or JumpPag API: SmartFastPay, JumpPag, or another giro. Each
// merchant has its own account there.
//
// An instruction's id is the provider's transaction id, which it takes once, and
// by which it is asked what became of it. Refunds the provider has none.
type SmartFastPay struct {
	// Account returns a book's account at the provider, with its secret.
	Account func(ctx context.Context, book giro.Book) (*giro.RailAccount, error)

	// HTTP sends the requests. It decides which addresses may be reached.
	HTTP *http.Client

	// Verify checks the value of a signature header over a body.
	Verify func(value string, body []byte, secret string, tolerance time.Duration, now time.Time) error

	Now func() time.Time

	mu       sync.Mutex
	sessions map[giro.Book]*providerSession
}

// providerSession is what is known of one account besides its settings.
type providerSession struct {
	mu       sync.Mutex // held while a token or a secret is asked for: once for all who wait
	account  giro.RailAccount
	token    string
	until    time.Time
	secret   string // for notifications
	secretAt time.Time
}

const (
	providerAnswerMax = 1 << 20
	tokenMargin       = time.Minute      // a token is replaced so long before it ends
	secretKept        = 10 * time.Minute // a notification's secret is asked for again after
	secretPause       = 30 * time.Second // and, where a signature is not good, not more often than
	notifyTolerance   = 5 * time.Minute  // between a signature and now
	payerPause        = 30 * time.Second // between looks at a charge that its payer has not paid
)

// Refunds implements giro.Refunder: the API has no refunds.
func (*SmartFastPay) Refunds() bool { return false }

// refusedError is an answer with a status of 300 or more.
type refusedError struct {
	status  int
	code    string
	field   string
	message string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("smartfastpay: %d %s %s", e.status, e.code, e.message)
}

// open returns the session of a book, anew where its account has changed.
func (r *SmartFastPay) open(ctx context.Context, book giro.Book) (*providerSession, error) {
	account, err := r.Account(ctx, book)
	if err != nil {
		return nil, fmt.Errorf("smartfastpay: the merchant's account: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[book]
	if s == nil || s.account != *account {
		if r.sessions == nil {
			r.sessions = map[giro.Book]*providerSession{}
		}
		s = &providerSession{account: *account}
		r.sessions[book] = s
	}
	return s, nil
}

// bearer returns an access token; stale is one that was refused.
func (r *SmartFastPay) bearer(ctx context.Context, s *providerSession, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.token != stale && r.Now().Before(s.until) {
		return s.token, nil
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.account.BaseURL+"/oauth2/token", strings.NewReader("{}"))
	if err != nil {
		return "", err
	}
	q.SetBasicAuth(s.account.ClientID, s.account.ClientSecret)
	q.Header.Set("Content-Type", "application/json")
	var answer struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if err := r.exchange(q, &answer, nil); err != nil {
		return "", err
	}
	if answer.Token == "" || strings.ContainsAny(answer.Token, " \r\n\t") {
		return "", errors.New("smartfastpay: an answer without a token")
	}
	life := time.Duration(min(max(answer.Expires, 0), 24*3600)) * time.Second
	s.token, s.until = answer.Token, r.Now().Add(max(life-tokenMargin, life/2))
	return s.token, nil
}

// told is the provider's answer to a request, as it came.
type told struct {
	status int
	body   []byte
}

// exchange sends a request and reads data of its answer into v. The answer itself
// is left in told, which may be nil.
func (r *SmartFastPay) exchange(q *http.Request, v any, t *told) error {
	q.Header.Set("Accept", "application/json")
	q.Header.Set("User-Agent", "giro")
	a, err := r.HTTP.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, providerAnswerMax+1))
	if err != nil {
		return err
	}
	if t != nil {
		t.status, t.body = a.StatusCode, b
	}
	if len(b) > providerAnswerMax {
		return errors.New("smartfastpay: the answer is too large")
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated {
		refused := &refusedError{status: a.StatusCode}
		var more struct {
			Information []struct{ Code, Message, Field string } `json:"moreInformation"`
		}
		if json.Unmarshal(b, &more) == nil && len(more.Information) > 0 {
			first := more.Information[0]
			refused.code, refused.message, refused.field = first.Code, first.Message, first.Field
		}
		return refused
	}
	if err := json.Unmarshal(b, &envelope); err != nil || len(envelope.Data) == 0 {
		return errors.New("smartfastpay: the answer is not of this API")
	}
	if err := json.Unmarshal(envelope.Data, v); err != nil {
		return fmt.Errorf("smartfastpay: read the answer: %w", err)
	}
	return nil
}

// call sends a request with a token, and once more with a new one where the
// token was refused: a 401 proves that nothing was done.
func (r *SmartFastPay) call(ctx context.Context, s *providerSession, method, path string, body, v any, t *told) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	stale := ""
	for {
		token, err := r.bearer(ctx, s, stale)
		if err != nil {
			return err
		}
		var reader io.Reader
		if body != nil {
			reader = bytes.NewReader(sent)
		}
		q, err := http.NewRequestWithContext(ctx, method, s.account.BaseURL+path, reader)
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+token)
		if body != nil {
			q.Header.Set("Content-Type", "application/json")
		}
		err = r.exchange(q, v, t)
		var refused *refusedError
		if errors.As(err, &refused) && refused.status == http.StatusUnauthorized && stale == "" {
			stale = token
			continue
		}
		return err
	}
}

// found is a payout or payment as the provider lists it.
type found struct {
	ID          string `json:"id"`
	Transaction string `json:"transaction_id"`
	Amount      string `json:"amount"`
	Currency    string `json:"currency"`
	Status      string `json:"status"`
}

// Lookup asks for what became of an instruction, by its id. That the provider
// does not know it proves that it never came only some time after it was handed
// over: until then it may be on its way.
func (r *SmartFastPay) Lookup(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	s, err := r.open(ctx, in.Book)
	if err != nil {
		return giro.Outcome{}, err
	}
	var t told
	o, err := r.lookup(ctx, s, in, &t)
	o.Heard = keep(in, t)
	return o, err
}

func (r *SmartFastPay) lookup(ctx context.Context, s *providerSession, in giro.Instruction, t *told) (giro.Outcome, error) {
	f, err := r.find(ctx, s, in, t)
	if err != nil {
		return giro.Outcome{}, err
	}
	if f == nil {
		after := time.Duration(cmp.Or(s.account.AbsentAfterSeconds, giro.AbsentAfterDefault)) * time.Second
		if in.At == 0 || in.Now.Sub(giro.TimeOf(in.At)) < after {
			return giro.Outcome{}, errors.New("smartfastpay: the provider does not know the instruction, which may still be on its way")
		}
		return giro.Outcome{Verdict: giro.VerdictAbsent}, nil
	}
	return outcome(in, f)
}

// find returns the provider's own object of an instruction, or nil.
func (r *SmartFastPay) find(ctx context.Context, s *providerSession, in giro.Instruction, t *told) (*found, error) {
	var list []found
	if err := r.call(ctx, s, http.MethodGet, whereFound(in), nil, &list, t); err != nil {
		return nil, err
	}
	var it *found
	for i := range list {
		if list[i].Transaction != in.ID {
			continue // a provider that ignores the filter
		}
		if it != nil && it.ID != list[i].ID {
			return nil, fmt.Errorf("smartfastpay: the provider has %s twice, as %s and %s; a person has to look", in.ID, it.ID, list[i].ID)
		}
		it = &list[i]
	}
	if it == nil && len(list) >= 40 {
		return nil, errors.New("smartfastpay: the provider does not filter by transaction id")
	}
	return it, nil
}

func whereFound(in giro.Instruction) string {
	path := "/payouts"
	if in.Op == giro.OpCharge {
		path = "/payments"
	}
	return path + "?limit=40&transaction_id=" + url.QueryEscape(in.ID)
}

// outcome is what the provider's status means for an instruction. Words that
// nobody has explained are no outcome.
func outcome(in giro.Instruction, f *found) (giro.Outcome, error) {
	o := giro.Outcome{Reference: f.ID}
	if minor, err := money.Parse(f.Amount, in.Currency); err != nil || minor != in.Amount {
		return o, fmt.Errorf("smartfastpay: the provider has %s with another amount; a person has to look", in.ID)
	}
	switch f.Status {
	case "pending":
		o.Verdict = giro.VerdictPending
		if in.Op == giro.OpCharge {
			o.After = payerPause
		}
		return o, nil
	case "onhold":
		if in.Op == giro.OpPayout {
			o.Verdict = giro.VerdictPending // it has it, and its people look at it
			return o, nil
		}
	case "success", "paid":
		if f.Status == "success" == (in.Op == giro.OpPayout) {
			o.Verdict = giro.VerdictSucceeded
			return o, nil
		}
	case "returned", "refunded":
		if in.Op == giro.OpPayout {
			o.Verdict = giro.Verdict(f.Status)
			return o, nil
		}
		o.Verdict = giro.VerdictSucceeded // it was paid; refunds are the merchant's own movements
		return o, nil
	case "failed":
		if in.Op == giro.OpPayout {
			o.Verdict, o.Code, o.Message = giro.VerdictFailed, "provider_failed", "The provider could not pay it."
			return o, nil
		}
	case "denied":
		if in.Op == giro.OpCharge {
			o.Verdict, o.Code, o.Message = giro.VerdictFailed, "denied", "The provider denied the payment."
			return o, nil
		}
	case "expired":
		if in.Op == giro.OpCharge {
			o.Verdict, o.Code = giro.VerdictCanceled, "expired"
			return o, nil
		}
	}
	return o, errors.New("smartfastpay: the provider has a status that giro does not know")
}

// Submit sends an instruction. A refusal is believed after the provider has said
// that it does not have the instruction from an earlier attempt; any other
// trouble leaves the outcome unknown.
func (r *SmartFastPay) Submit(ctx context.Context, in giro.Instruction) (giro.Outcome, error) {
	s, err := r.open(ctx, in.Book)
	if err != nil {
		return giro.Outcome{}, err
	}
	path, body, missing := order(in, s.account.NotifyURL)
	if missing != "" {
		return giro.Outcome{Verdict: giro.VerdictFailed, Code: missing, Message: "The rail cannot carry this: nothing was sent."}, nil
	}
	var t told
	o, err := r.submit(ctx, s, in, path, body, &t)
	o.Heard = keep(in, t)
	return o, err
}

func (r *SmartFastPay) submit(ctx context.Context, s *providerSession, in giro.Instruction, path string, body map[string]any, t *told) (giro.Outcome, error) {
	var answer struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Expires int64  `json:"expires_in"`
		Payment struct {
			QRCode  string `json:"qr_code"`
			BarCode string `json:"bar_code"`
		} `json:"payment"`
	}
	err := r.call(ctx, s, http.MethodPost, path, body, &answer, t)
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && (refused.status == http.StatusBadRequest || refused.status == http.StatusConflict || refused.status == http.StatusUnprocessableEntity):
		f, findErr := r.find(ctx, s, in, nil)
		switch {
		case findErr != nil:
			return giro.Outcome{}, errors.Join(err, findErr)
		case f != nil:
			return outcome(in, f)
		case refused.status == http.StatusConflict:
			return giro.Outcome{}, err // it has the id and does not show it: a person has to look
		}
		return giro.Outcome{Verdict: giro.VerdictFailed, Code: "provider_refused", Message: said(refused)}, nil
	case err != nil:
		return giro.Outcome{}, err
	}
	if answer.ID == "" || answer.Status == "" {
		return giro.Outcome{}, errors.New("smartfastpay: an answer without id or status")
	}
	o, err := outcome(in, &found{ID: answer.ID, Amount: money.Format(in.Amount, in.Currency), Status: answer.Status})
	if err == nil && in.Op == giro.OpCharge && o.Verdict == giro.VerdictPending {
		o.Next = next(in.Movement.Detail.Method, answer.Payment.QRCode, answer.Payment.BarCode, answer.Expires)
	}
	return o, err
}

// said is the provider's reason, for people: short, and on one line.
func said(e *refusedError) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(e.message, ""))
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200])
	}
	if e.field != "" && len(e.field) <= 100 {
		text = e.field + ": " + text
	}
	return "The provider refused it. " + text
}

// next is what the payer has to do.
func next(method, qr, bar string, expires int64) *giro.NextAction {
	n := &giro.NextAction{Type: method, ExpiresAt: expires}
	switch {
	case qr != "":
		n.BRCode = qr
	case bar != "" && len(bar) == 44:
		n.BarCode = bar
	case bar != "":
		n.DigitableLine = bar
	default:
		return nil
	}
	return n
}

// order is the request for an instruction, in the nested bodies of the API;
// missing names why there is none.
func order(in giro.Instruction, notify string) (path string, body map[string]any, missing string) {
	m := in.Movement
	d := &m.Detail
	who := d.Recipient
	if in.Op == giro.OpCharge {
		path = "/v2/payin"
		if who == nil {
			who = in.Payer
		}
	} else if in.Op == giro.OpPayout {
		path = "/v2/payout"
	} else {
		return "", nil, "operation_unsupported"
	}
	if who == nil || who.Name == "" {
		return "", nil, "recipient_required"
	}
	if who.Document == nil {
		return "", nil, "document_required"
	}
	customer := map[string]any{
		"id": m.ID.String(), "name": who.Name,
		"document": map[string]any{"type": who.Document.Type, "number": who.Document.Number},
	}
	if !m.Customer.IsZero() {
		customer["id"] = m.Customer.String()
	}
	if who.Email != "" {
		customer["email"] = who.Email
	}
	if who.Phone != "" {
		customer["phone"] = who.Phone
	}
	body = map[string]any{
		"customer": customer, "notification_url": notify,
		"transaction": map[string]any{"id": in.ID, "currency": string(in.Currency), "amount": json.Number(money.Format(in.Amount, in.Currency))},
	}
	country, method := "", ""
	switch {
	case d.Bank != nil && d.Method == "pix":
		country, method = "BRA", "pix"
		if in.Op == giro.OpPayout {
			body["transfer"] = map[string]any{"value": d.Bank.Key}
		}
	case d.Bank != nil && in.Op == giro.OpCharge && d.Method == "boleto":
		country, method = "BRA", "boleto"
	case d.Bank != nil && in.Op == giro.OpPayout && d.Method == "spei":
		country, method = "MEX", "bank_transfer"
		body["bank_transfer"] = map[string]any{"bank_account_number": d.Bank.Account}
	case d.Bank != nil && in.Op == giro.OpPayout && d.Method == "transfer":
		c, err := bank.ParseCountry(d.Bank.Country)
		if err != nil {
			return "", nil, "country_unsupported"
		}
		country, method = c.Alpha3, "bank_transfer"
		account := map[string]any{"bank_code": d.Bank.BankCode, "bank_account_number": d.Bank.AccountNumber, "bank_account_type": strings.ToUpper(d.Bank.AccountType)}
		if d.Bank.Branch != "" {
			account["bank_branch"] = d.Bank.Branch
		}
		body["bank_transfer"] = account
	case d.Mobile != nil && in.Op == giro.OpPayout && strings.HasPrefix(d.Mobile.Phone, "+57"):
		country, method = "COL", "transfiya"
	case d.Mobile != nil && in.Op == giro.OpPayout && strings.HasPrefix(d.Mobile.Phone, "+593"):
		country, method = "ECU", "mobile_money"
	default:
		return "", nil, "method_unsupported"
	}
	if d.Mobile != nil {
		customer["phone"] = d.Mobile.Phone
		body["transfer"] = map[string]any{"value": strings.TrimPrefix(d.Mobile.Phone, "+")}
	}
	body["country"], body["payment_method"] = country, method
	return path, body, ""
}

// Read implements giro.Listener: the provider's notifications, whose signature
// is checked with the secret that the provider gives out for this account.
func (r *SmartFastPay) Read(ctx context.Context, book giro.Book, header func(name string) string, body []byte) (giro.Message, error) {
	unauthenticated := giro.Refuse(giro.CodeUnauthenticated, "SmartFastPay-Signature", "the signature is missing or not the provider's")
	value := cmp.Or(header("SmartFastPay-Signature"), header("Jump-Signature"))
	if value == "" {
		return giro.Message{}, unauthenticated
	}
	s, err := r.open(ctx, book)
	if err != nil {
		return giro.Message{}, unauthenticated // this merchant has no provider
	}
	secret, fresh, err := r.notifySecret(ctx, s, false)
	if err != nil {
		return giro.Message{}, unknownSecret(err)
	}
	if err := r.Verify(value, body, secret, notifyTolerance, r.Now()); err != nil {
		if fresh {
			return giro.Message{}, unauthenticated
		}
		// It may have been replaced.
		if secret, _, err = r.notifySecret(ctx, s, true); err != nil {
			return giro.Message{}, unknownSecret(err)
		}
		if err := r.Verify(value, body, secret, notifyTolerance, r.Now()); err != nil {
			return giro.Message{}, unauthenticated
		}
	}
	var message struct {
		Data []struct {
			Transaction string `json:"transaction_id"`
		} `json:"data"`
	}
	sum := sha256.Sum256(body)
	m := giro.Message{ID: hex.EncodeToString(sum[:])}
	if json.Unmarshal(body, &message) == nil { // it is the provider's, and is kept even if nobody can read it
		for _, d := range message.Data[:min(len(message.Data), 100)] {
			m.Instructions = append(m.Instructions, d.Transaction)
		}
	}
	return m, nil
}

// unknownSecret asks the provider to send a notification again later.
func unknownSecret(err error) error {
	return &giro.Error{Code: giro.CodeUnavailable, Message: "the provider's secret cannot be had now; send the notification again", RetryAfter: secretPause, Err: err}
}

// notifySecret returns the secret of notifications; fresh: it was asked for just
// now, or too lately to be asked for again.
func (r *SmartFastPay) notifySecret(ctx context.Context, s *providerSession, again bool) (secret string, fresh bool, err error) {
	s.mu.Lock()
	kept, at := s.secret, s.secretAt
	s.mu.Unlock()
	age := r.Now().Sub(at)
	if kept != "" && (!again && age < secretKept || again && age < secretPause) {
		return kept, age < secretPause, nil
	}
	var answer struct {
		Secret string `json:"secret"`
	}
	if err := r.call(ctx, s, http.MethodGet, "/webhook/secret", nil, &answer, nil); err != nil {
		return "", false, err
	}
	if answer.Secret == "" {
		return "", false, errors.New("smartfastpay: an empty secret")
	}
	s.mu.Lock()
	s.secret, s.secretAt = answer.Secret, r.Now()
	s.mu.Unlock()
	return answer.Secret, true, nil
}

var (
	_ giro.Rail     = (*SmartFastPay)(nil)
	_ giro.Listener = (*SmartFastPay)(nil)
	_ giro.Refunder = (*SmartFastPay)(nil)
	_ giro.Witness  = (*SmartFastPay)(nil)
)
