package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"giro/client"
	"giro/money"
)

type moneyCommands struct {
	Charges   chargesCommand   `cmd:"" group:"Money" aliases:"payments" help:"Money from payers."`
	Refunds   refundsCommand   `cmd:"" group:"Money" help:"Money of charges back to their payers."`
	Payouts   payoutsCommand   `cmd:"" group:"Money" help:"Money to somebody outside."`
	Transfers transfersCommand `cmd:"" group:"Money" help:"Money between accounts."`
	Customers customersCommand `cmd:"" group:"Money" help:"People and companies that the merchant deals with."`
	Sources   sourcesCommand   `cmd:"" group:"Money" help:"Saved cards, keys, accounts and phones of customers."`
	Balances  balancesCommand  `cmd:"" group:"Money" help:"What there is, by currency."`
	Get       anyCommand       `cmd:"" group:"Money" help:"Show any object by its id; giro ID does the same."`
}

type chargesCommand struct {
	Create   chargeCreateCommand `cmd:"" help:"Create a charge."`
	List     movementListCommand `cmd:"" help:"List charges, newest first."`
	Get      retrieveCommand     `cmd:"" help:"Show a charge."`
	Update   updateCommand       `cmd:"" help:"Change a charge."`
	Capture  partCommand         `cmd:"" help:"Collect what was authorised, or a part of it."`
	Refund   refundCreateCommand `cmd:"" help:"Give money of a charge back."`
	Cancel   verbCommand         `cmd:"" help:"Withdraw what was not captured."`
	Release  verbCommand         `cmd:"" help:"Let a charge on hold go on."`
	Confirm  verbCommand         `cmd:"" help:"Say that it was paid, on the manual rail."`
	Fail     failCommand         `cmd:"" help:"Say that it was not paid, on the manual rail."`
	Wait     waitCommand         `cmd:"" help:"Wait for the outcome."`
	Timeline partsCommand        `cmd:"" help:"What happened to it, in order."`
	Ledger   partsCommand        `cmd:"" help:"The postings that it made."`
	Delete   deleteCommand       `cmd:"" help:"Hide it, and withdraw what was not captured."`
}

type refundsCommand struct {
	Create   refundCreateCommand `cmd:"" help:"Give money of a charge back."`
	List     movementListCommand `cmd:"" help:"List refunds, newest first."`
	Get      retrieveCommand     `cmd:"" help:"Show a refund."`
	Update   updateCommand       `cmd:"" help:"Change a refund."`
	Cancel   verbCommand         `cmd:"" help:"Withdraw a refund that was not sent."`
	Release  verbCommand         `cmd:"" help:"Let a refund on hold go on."`
	Confirm  verbCommand         `cmd:"" help:"Say that it was given back, on the manual rail."`
	Fail     failCommand         `cmd:"" help:"Say that it was not given back, on the manual rail."`
	Return   verbCommand         `cmd:"" help:"Say that it bounced, on the manual rail."`
	Wait     waitCommand         `cmd:"" help:"Wait for the outcome."`
	Timeline partsCommand        `cmd:"" help:"What happened to it, in order."`
	Ledger   partsCommand        `cmd:"" help:"The postings that it made."`
	Delete   deleteCommand       `cmd:"" help:"Hide it, and withdraw what was not sent."`
}

type payoutsCommand struct {
	Create     payoutCreateCommand `cmd:"" help:"Send money."`
	Bulk       bulkCommand         `cmd:"" help:"Send money to many: the lines of a file, each with its own result. Running it again makes none twice."`
	List       movementListCommand `cmd:"" help:"List payouts, newest first."`
	Get        retrieveCommand     `cmd:"" help:"Show a payout."`
	Update     updateCommand       `cmd:"" help:"Change a payout."`
	Cancel     verbCommand         `cmd:"" help:"Withdraw a payout that was not sent."`
	Release    verbCommand         `cmd:"" help:"Let a payout on hold go on."`
	Retry      retryCommand        `cmd:"" help:"Send again what did not arrive, as a new payout."`
	CreditBack verbCommand         `cmd:"" help:"Credit a returned payout to the balance."`
	Confirm    verbCommand         `cmd:"" help:"Say that it was paid, on the manual rail."`
	Fail       failCommand         `cmd:"" help:"Say that it was not paid, on the manual rail."`
	Return     verbCommand         `cmd:"" help:"Say that it came back, on the manual rail."`
	Wait       waitCommand         `cmd:"" help:"Wait for the outcome."`
	Timeline   partsCommand        `cmd:"" help:"What happened to it, in order."`
	Ledger     partsCommand        `cmd:"" help:"The postings that it made."`
	Delete     deleteCommand       `cmd:"" help:"Hide it, and withdraw what was not sent."`
}

type transfersCommand struct {
	Create   transferCreateCommand `cmd:"" help:"Move money between two accounts."`
	Bulk     bulkCommand           `cmd:"" help:"Make many transfers: the lines of a file, each with its own result. Running it again makes none twice."`
	List     movementListCommand   `cmd:"" help:"List transfers, newest first."`
	Get      retrieveCommand       `cmd:"" help:"Show a transfer."`
	Update   updateCommand         `cmd:"" help:"Change a transfer."`
	Reverse  partCommand           `cmd:"" help:"Give back a transfer, or a part of it."`
	Post     verbCommand           `cmd:"" help:"Move what a two-phase transfer has reserved."`
	Void     verbCommand           `cmd:"" help:"Give up what a two-phase transfer has reserved."`
	Timeline partsCommand          `cmd:"" help:"What happened to it, in order."`
	Ledger   partsCommand          `cmd:"" help:"The postings that it made."`
	Delete   deleteCommand         `cmd:"" help:"Hide it, and withdraw what was not moved."`
}

type movementListCommand struct {
	apiFlags
	paging
	Status    []string          `help:"pending, onhold, succeeded, failed, canceled, returned, refunded; several with commas."`
	Currency  string            `help:"ISO 4217." placeholder:"CODE"`
	Customer  string            `help:"A customer's id." placeholder:"cus_…"`
	Reference string            `aliases:"transaction-id" help:"The merchant's own id, exactly." placeholder:"TEXT"`
	Since     string            `help:"Created at or after: a time, a day, or how long ago (36h, 7d)." placeholder:"TIME"`
	Until     string            `help:"Created before." placeholder:"TIME"`
	Failure   string            `help:"Why it failed: account_closed." placeholder:"CODE"`
	Method    []string          `help:"Of charges and payouts: pix, boleto, spei, …" placeholder:"METHOD"`
	Rail      string            `help:"The rail that carries it." placeholder:"NAME"`
	Document  string            `help:"Of payouts: the number of the recipient's identity document." placeholder:"NUMBER"`
	AmountMin int64             `help:"At least so many minor units." placeholder:"N"`
	AmountMax int64             `help:"At most so many minor units." placeholder:"N"`
	Metadata  map[string]string `help:"key=value." placeholder:"K=V"`
}

func (c *movementListCommand) Run(s *session, n *noun) error {
	q := given(map[string]string{"status": strings.Join(c.Status, ","), "currency": c.Currency, "customer": c.Customer, "reference": c.Reference,
		"failure_code": c.Failure, "method": strings.Join(c.Method, ","), "rail": c.Rail, "document": c.Document})
	if err := s.times(q, "created[gte]", c.Since, "created[lt]", c.Until); err != nil {
		return err
	}
	for name, v := range map[string]int64{"amount[gte]": c.AmountMin, "amount[lte]": c.AmountMax} {
		if v > 0 {
			q.Set(name, strconv.FormatInt(v, 10))
		}
	}
	for key, v := range c.Metadata {
		q.Set("metadata["+key+"]", v)
	}
	return c.each(s, n, q)
}

// instant reads a time as people write it.
func (p *printer) instant(v string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, v); err == nil {
		return at, nil
	}
	if at, err := time.ParseInLocation("2006-01-02", v, p.zone); err == nil {
		return at, nil
	}
	if days, ok := strings.CutSuffix(v, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return p.now().AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(v); err == nil && d >= 0 {
		return p.now().Add(-d), nil
	}
	return time.Time{}, exitError{exitUsage, fmt.Errorf("%q is no time: write 2026-01-31T12:00:00Z, 2026-01-31, or how long ago, 36h or 7d", v)}
}

// sum are the two ways to say how much.
type sum struct {
	Amount      string `help:"In the currency's major unit: 980.00." placeholder:"DECIMAL" xor:"amount"`
	AmountMinor int64  `help:"In its minor unit: 98000." placeholder:"N" xor:"amount"`
}

// minor is the sum in minor units; 0: none was given.
func (v *sum) minor(currency string) (int64, error) {
	if v.Amount == "" {
		if v.AmountMinor < 0 {
			return 0, exitError{exitUsage, errors.New("--amount-minor must be greater than 0")}
		}
		return v.AmountMinor, nil
	}
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return 0, exitError{exitUsage, fmt.Errorf("--amount needs a --currency of ISO 4217, which %q is not", currency)}
	}
	n, err := money.Parse(v.Amount, c)
	if err != nil {
		return 0, exitError{exitUsage, fmt.Errorf("--amount: %w: write it like %s", err, money.Format(98000, c))}
	}
	return n, nil
}

func (v *sum) needed(currency string) (int64, error) {
	n, err := v.minor(currency)
	if err == nil && n == 0 {
		err = exitError{exitUsage, errors.New("say how much with --amount or --amount-minor")}
	}
	return n, err
}

// labels are what every movement may carry.
type labels struct {
	Reference   string            `aliases:"transaction-id" help:"The merchant's own id, used once for good." placeholder:"TEXT"`
	Description string            `help:"A text of the merchant's own." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value; several." placeholder:"K=V"`
}

// writing are the flags of commands that make or change a movement.
type writing struct {
	asking
	IdempotencyKey string `help:"Repeats an earlier command safely; made if absent." placeholder:"KEY"`
}

// waiting are the flags of commands whose outcome may come later.
type waiting struct {
	Wait bool `help:"Wait for the outcome. Exit 7 if the money did not move."`
}

// settle prints what a command made, after its outcome where that was asked for.
func (w *waiting) settle(s *session, n *noun, v *tree) error {
	id := v.at("id").string()
	if w.Wait {
		if err := s.await(n, id); err != nil {
			return err
		}
		var err error
		if v, _, err = s.read(n.at(id), nil); err != nil {
			return err
		}
	}
	if err := s.object(v, n.columns); err != nil {
		return err
	}
	if w.Wait {
		return declined(v)
	}
	return nil
}

// await waits until a movement is final.
func (s *session) await(n *noun, id string) error {
	ctx := s.ctx
	if s.flags.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.flags.Timeout)
		defer cancel()
	}
	var err error
	switch n.one {
	case "charge":
		_, err = s.c.Charges.Await(ctx, id)
	case "refund":
		_, err = s.c.Refunds.Await(ctx, id)
	case "transfer":
		_, err = s.c.Transfers.Await(ctx, id)
	default:
		_, err = s.c.Payouts.Await(ctx, id)
	}
	if err != nil && ctx.Err() != nil {
		code := exitUnreachable // it took longer than --timeout
		if s.ctx.Err() != nil {
			code = exitInterrupted
		}
		return exitError{code, fmt.Errorf("%s is not final yet and goes on by itself; wait again with: giro %ss wait %s", id, n.one, id)}
	}
	return err
}

// declined is exit 7 where the money did not move, or came back.
func declined(v *tree) error {
	switch state := v.at("status").string(); state {
	case "failed", "canceled", "returned":
		reason := v.at("failure_code").string()
		if reason != "" {
			reason = ": " + reason
		}
		return exitError{exitDeclined, errors.New(v.at("id").string() + " is " + state + reason)}
	}
	return nil
}

type waitCommand struct {
	apiFlags
	ID string `arg:"" help:"The movement's id."`
}

func (c *waitCommand) Run(s *session, n *noun) error {
	v, _, err := s.read(n.at(c.ID), nil)
	if err != nil {
		return err
	}
	return (&waiting{Wait: true}).settle(s, n, v)
}

// pays are the flags that say how the other side pays or is paid.
type pays struct {
	CardToken     string `help:"A card, by its provider's token." placeholder:"TOKEN"`
	PIXKey        string `name:"pix-key" help:"A PIX key." placeholder:"KEY"`
	Phone         string `help:"Mobile money: E.164." placeholder:"+55…"`
	Source        string `help:"A saved source instead." placeholder:"src_…"`
	Method        string `help:"Of a bank: pix, boleto, spei, sepa, ach, transfer, …" placeholder:"NAME"`
	CLABE         string `name:"clabe" help:"spei: CLABE." placeholder:"18 DIGITS"`
	IBAN          string `name:"iban" help:"sepa." placeholder:"IBAN"`
	BIC           string `name:"bic" help:"sepa." placeholder:"BIC"`
	RoutingNumber string `help:"ach." placeholder:"9 DIGITS"`
	Country       string `help:"transfer: ISO 3166." placeholder:"CODE"`
	BankCode      string `help:"transfer." placeholder:"CODE"`
	Branch        string `help:"transfer." placeholder:"CODE"`
	AccountNumber string `help:"transfer, ach." placeholder:"NUMBER"`
	AccountType   string `help:"transfer, ach: checking, savings." placeholder:"TYPE"`
}

// means says how: provider and the object of it. Each destination alone names
// its method.
func (p *pays) means() (provider string, card *client.Card, mobile *client.Mobile, bank *client.Bank, err error) {
	b := client.Bank{Method: p.Method, Key: p.PIXKey, Account: p.CLABE, IBAN: p.IBAN, BIC: p.BIC, RoutingNumber: p.RoutingNumber,
		Country: p.Country, BankCode: p.BankCode, Branch: p.Branch, AccountNumber: p.AccountNumber, AccountType: p.AccountType}
	if b.Method == "" {
		switch {
		case p.PIXKey != "":
			b.Method = "pix"
		case p.CLABE != "":
			b.Method = "spei"
		case p.IBAN != "":
			b.Method = "sepa"
		case p.RoutingNumber != "":
			b.Method = "ach"
		case p.AccountNumber != "":
			b.Method = "transfer"
		}
	}
	given := 0
	for _, set := range []bool{p.CardToken != "", p.Phone != "", p.Source != "", b != client.Bank{}} {
		if set {
			given++
		}
	}
	switch {
	case given != 1:
		err = exitError{exitUsage, errors.New("say one way: --card-token, --pix-key or another bank account, --phone, or --source")}
	case p.CardToken != "":
		return "card", &client.Card{Token: p.CardToken}, nil, nil, nil
	case p.Phone != "":
		return "mobile", nil, &client.Mobile{Phone: p.Phone}, nil, nil
	case p.Source != "":
	default:
		return "bank", nil, nil, &b, nil
	}
	return "", nil, nil, nil, err
}

// create sends what makes a movement, asks before if it is live, and prints it.
func (w *writing) create(s *session, n *noun, body any, what, simulate string, wait *waiting) error {
	if err := s.confirm(w.asking, what); err != nil {
		return err
	}
	r := client.Request{Method: http.MethodPost, Path: n.path, Body: body, Key: w.IdempotencyKey}
	if simulate != "" {
		r.Header = http.Header{"Giro-Simulate": {simulate}}
	}
	v, _, err := s.send(r)
	if err != nil {
		return err
	}
	return wait.settle(s, n, v)
}

type chargeCreateCommand struct {
	apiFlags
	sum
	Currency string `required:"" help:"ISO 4217." placeholder:"CODE"`
	pays
	Customer   string `help:"A saved customer." placeholder:"cus_…"`
	Account    string `help:"Collect into this sub-account." placeholder:"acct_…"`
	NoCapture  bool   `help:"Authorise only."`
	Descriptor string `help:"What the payer's statement shows." placeholder:"TEXT"`
	Email      string `help:"Where the receipt goes." placeholder:"ADDRESS"`
	labels
	Simulate string `help:"A sandbox outcome: failed:declined." placeholder:"OUTCOME"`
	waiting
	writing
}

func (c *chargeCreateCommand) Run(s *session) error {
	minor, err := c.needed(c.Currency)
	if err != nil {
		return err
	}
	body := client.ChargeCreate{Amount: minor, Currency: c.Currency, Source: c.Source, Account: c.Account, Descriptor: c.Descriptor, Email: c.Email,
		Description: c.Description, Reference: c.Reference, Metadata: c.Metadata}
	if body.Provider, body.Card, body.Mobile, body.Bank, err = c.means(); err != nil {
		return err
	}
	if c.Customer != "" {
		body.Customer = c.Customer
	}
	if c.NoCapture {
		no := false
		body.Capture = &no
	}
	return c.create(s, nouns["charges"], body, "charge "+s.spell(minor, c.Currency), c.Simulate, &c.waiting)
}

// payoutFields say what is paid to whom.
type payoutFields struct {
	sum
	Currency string `required:"" help:"ISO 4217." placeholder:"CODE"`
	pays
	Name     string `help:"Of the recipient." placeholder:"NAME"`
	Document string `help:"Of the recipient: CPF:number, NIT:number, …" placeholder:"TYPE:NUMBER"`
	Customer string `help:"A saved customer." placeholder:"cus_…"`
	Account  string `help:"Send from this sub-account." placeholder:"acct_…"`
	labels
}

// body is what the API is sent; the sum and to whom, for people.
func (f *payoutFields) body() (body any, minor int64, to string, err error) {
	if minor, err = f.needed(f.Currency); err != nil {
		return nil, 0, "", err
	}
	p := client.PayoutCreate{Amount: minor, Currency: f.Currency, Source: f.Source, Customer: f.Customer, Account: f.Account,
		Description: f.Description, Reference: f.Reference, Metadata: f.Metadata}
	if p.Provider, p.Card, p.Mobile, p.Bank, err = f.means(); err != nil {
		return nil, 0, "", err
	}
	document, err := identity(f.Document)
	if err != nil {
		return nil, 0, "", err
	}
	to = "1 recipient"
	if f.Name != "" || document != nil {
		p.Recipient = &client.Party{Name: f.Name, Document: document}
		to = firstOf(f.Name, to)
	}
	return p, minor, to, nil
}

type payoutCreateCommand struct {
	apiFlags
	payoutFields
	Simulate string `help:"A sandbox outcome: failed:account_closed." placeholder:"OUTCOME"`
	waiting
	writing
}

// identity reads TYPE:NUMBER.
func identity(v string) (*client.Document, error) {
	if v == "" {
		return nil, nil
	}
	kind, number, ok := strings.Cut(v, ":")
	if !ok || kind == "" || number == "" {
		return nil, exitError{exitUsage, errors.New("--document is written TYPE:NUMBER, such as CPF:…")}
	}
	return &client.Document{Type: kind, Number: number}, nil
}

func (c *payoutCreateCommand) Run(s *session, n *noun) error {
	body, minor, to, err := c.body()
	if err != nil {
		return err
	}
	return c.create(s, n, body, "pay "+s.spell(minor, c.Currency)+" to "+to, c.Simulate, &c.waiting)
}

type refundCreateCommand struct {
	apiFlags
	Charge string `arg:"" help:"The charge's id."`
	sum
	Reason string `help:"Why." placeholder:"TEXT"`
	labels
	Simulate string `help:"A sandbox outcome: failed." placeholder:"OUTCOME"`
	waiting
	writing
}

func (c *refundCreateCommand) Run(s *session) error {
	minor, what, err := c.of(s, nouns["charges"], c.Charge)
	if err != nil {
		return err
	}
	body := client.RefundCreate{Charge: c.Charge, Amount: minor, Reason: c.Reason, Description: c.Description, Reference: c.Reference, Metadata: c.Metadata}
	return c.create(s, nouns["refunds"], body, "give back "+what+" of "+c.Charge, c.Simulate, &c.waiting)
}

// of reads a sum in the currency of an object; 0 and "all" where none is given.
func (v *sum) of(s *session, n *noun, id string) (int64, string, error) {
	if v.Amount == "" {
		minor, err := v.minor("")
		if minor == 0 {
			return 0, "all", err
		}
		return minor, strconv.FormatInt(minor, 10) + " minor units", err
	}
	object, _, err := s.read(n.at(id), nil)
	if err != nil {
		return 0, "", err
	}
	currency := object.at("currency").string()
	minor, err := v.minor(currency)
	return minor, s.spell(minor, currency), err
}

// transferFields say what is moved where.
type transferFields struct {
	sum
	Currency string `required:"" help:"ISO 4217." placeholder:"CODE"`
	From     string `aliases:"from-account" help:"The account that it comes from; the main account if absent." placeholder:"acct_…"`
	To       string `required:"" aliases:"destination" help:"The account that it goes to." placeholder:"acct_…"`
	Pending  bool   `help:"Only reserve, until it is posted or voided."`
	labels
}

// body is what the API is sent; the sum and to whom, for people.
func (f *transferFields) body() (body any, minor int64, to string, err error) {
	if minor, err = f.needed(f.Currency); err != nil {
		return nil, 0, "", err
	}
	return client.TransferCreate{Amount: minor, Currency: f.Currency, FromAccount: f.From, Destination: f.To, Pending: f.Pending,
		Description: f.Description, Reference: f.Reference, Metadata: f.Metadata}, minor, f.To, nil
}

type transferCreateCommand struct {
	apiFlags
	transferFields
	ExpiresIn string `help:"When a pending one is voided: 36h; 7 days if absent." placeholder:"DURATION"`
	writing
}

func (c *transferCreateCommand) Run(s *session, n *noun) error {
	made, minor, to, err := c.body()
	if err != nil {
		return err
	}
	body := made.(client.TransferCreate)
	if c.ExpiresIn != "" {
		d, err := time.ParseDuration(c.ExpiresIn)
		if err != nil || d <= 0 {
			return exitError{exitUsage, errors.New("--expires-in is a duration such as 36h")}
		}
		body.ExpiresAt = s.now().Add(d).Unix()
	}
	return c.create(s, n, body, "move "+s.spell(minor, c.Currency)+" to "+to, "", &waiting{})
}

type updateCommand struct {
	apiFlags
	ID string `arg:"" help:"The movement's id."`
	sum
	Status      string            `enum:",succeeded,canceled,pending" default:"" help:"succeeded, canceled or pending." placeholder:"STATUS"`
	Description *string           `help:"A text of the merchant's own." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value; several." placeholder:"K=V"`
	writing
}

func (c *updateCommand) Run(s *session, n *noun) error {
	minor, _, err := c.of(s, n, c.ID)
	if err != nil {
		return err
	}
	if minor != 0 || c.Status != "" {
		if err := s.confirm(c.asking, "change "+c.ID); err != nil {
			return err
		}
	}
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Key: c.IdempotencyKey,
		Body: client.Update{Amount: minor, Status: c.Status, Description: c.Description, Metadata: c.Metadata}})
}

type verbCommand struct {
	apiFlags
	ID string `arg:"" help:"The movement's id."`
	writing
}

func (c *verbCommand) Run(s *session, n *noun, named verb) error {
	return c.do(s, n, c.ID, named, "", struct{}{})
}

// do runs a verb of an object; part, "5.00 of ", says for the question how much
// of it is meant.
func (w *writing) do(s *session, n *noun, id string, named verb, part string, body any) error {
	if err := s.confirm(w.asking, strings.ReplaceAll(string(named), "_", " ")+" "+part+id); err != nil {
		return err
	}
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.at(id, string(named)), Key: w.IdempotencyKey, Body: body})
}

type partCommand struct {
	apiFlags
	ID string `arg:"" help:"The movement's id."`
	sum
	writing
}

func (c *partCommand) Run(s *session, n *noun, named verb) error {
	minor, what, err := c.of(s, n, c.ID)
	if err != nil {
		return err
	}
	return c.do(s, n, c.ID, named, what+" of ", struct {
		Amount int64 `json:"amount,omitempty"`
	}{minor})
}

type failCommand struct {
	apiFlags
	ID   string `arg:"" help:"The movement's id."`
	Code string `help:"Why: account_closed, …" placeholder:"CODE"`
	writing
}

func (c *failCommand) Run(s *session, n *noun, named verb) error {
	return c.do(s, n, c.ID, named, "", struct {
		Code string `json:"code,omitempty"`
	}{c.Code})
}

type retryCommand struct {
	apiFlags
	ID        string `arg:"" help:"The payout's id."`
	Reference string `aliases:"transaction-id" help:"Of the new payout; the old one's, counted up, if absent." placeholder:"TEXT"`
	waiting
	writing
}

func (c *retryCommand) Run(s *session, n *noun) error {
	if err := s.confirm(c.asking, "pay "+c.ID+" again"); err != nil {
		return err
	}
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: n.at(c.ID, "retry"), Key: c.IdempotencyKey, Body: struct {
		Reference string `json:"reference,omitempty"`
	}{c.Reference}})
	if err != nil {
		return err
	}
	return c.settle(s, n, v)
}

// partsCommand prints a list that belongs to one object.
type partsCommand struct {
	apiFlags
	ID string `arg:"" help:"The movement's id."`
}

func (c *partsCommand) Run(s *session, n *noun, named verb) error {
	columns := nouns["transactions"].columns
	if named == "timeline" {
		columns = []column{plain("AT", "at"), plain("TYPE", "type"), text("WHAT", "what"), text("DETAIL", "detail"), plain("ID", "id")}
	}
	return s.all(n.at(c.ID, string(named)), nil, columns)
}

type customersCommand struct {
	Create customerCreateCommand `cmd:"" help:"Save a customer."`
	List   listCommand           `cmd:"" help:"List customers, newest first."`
	Get    retrieveCommand       `cmd:"" help:"Show a customer."`
	Update customerUpdateCommand `cmd:"" help:"Change a customer."`
	Delete deleteCommand         `cmd:"" help:"Delete a customer and its sources."`
}

type customerCreateCommand struct {
	apiFlags
	Name     string `required:"" help:"Name." placeholder:"NAME"`
	Email    string `help:"E-mail address." placeholder:"ADDRESS"`
	Phone    string `help:"E.164." placeholder:"+55…"`
	Document string `help:"CPF:number, NIT:number, …" placeholder:"TYPE:NUMBER"`
	labels
	IdempotencyKey string `help:"Repeats an earlier command safely; made if absent." placeholder:"KEY"`
}

func (c *customerCreateCommand) Run(s *session, n *noun) error {
	document, err := identity(c.Document)
	if err != nil {
		return err
	}
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Key: c.IdempotencyKey, Body: client.CustomerCreate{Name: c.Name, Email: c.Email, Phone: c.Phone,
		Document: document, Reference: c.Reference, Description: c.Description, Metadata: c.Metadata}})
}

type customerUpdateCommand struct {
	apiFlags
	ID          string            `arg:"" help:"The customer's id."`
	Name        string            `help:"Name." placeholder:"NAME"`
	Email       string            `help:"E-mail address." placeholder:"ADDRESS"`
	Phone       string            `help:"E.164." placeholder:"+55…"`
	Document    string            `help:"CPF:number, NIT:number, …" placeholder:"TYPE:NUMBER"`
	Reference   string            `help:"The merchant's own id." placeholder:"TEXT"`
	Description *string           `help:"A text of the merchant's own." placeholder:"TEXT"`
	Metadata    map[string]string `help:"key=value; several." placeholder:"K=V"`
}

func (c *customerUpdateCommand) Run(s *session, n *noun) error {
	document, err := identity(c.Document)
	if err != nil {
		return err
	}
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: client.CustomerUpdate{Name: c.Name, Email: c.Email, Phone: c.Phone,
		Document: document, Reference: c.Reference, Description: c.Description, Metadata: c.Metadata}})
}

type sourcesCommand struct {
	Create sourceCreateCommand `cmd:"" help:"Save a way to pay or be paid for a customer."`
	List   sourceListCommand   `cmd:"" help:"List sources, newest first."`
	Get    retrieveCommand     `cmd:"" help:"Show a source."`
	Update sourceUpdateCommand `cmd:"" help:"Change a source's metadata."`
	Delete deleteCommand       `cmd:"" help:"Delete a source."`
}

type sourceCreateCommand struct {
	apiFlags
	Customer string `arg:"" help:"The customer's id."`
	pays
	Metadata map[string]string `help:"key=value; several." placeholder:"K=V"`
}

func (c *sourceCreateCommand) Run(s *session, n *noun) error {
	var err error
	body := client.SourceCreate{Customer: c.Customer, Metadata: c.Metadata}
	if body.Provider, body.Card, body.Mobile, body.Bank, err = c.means(); err != nil {
		return err
	}
	if c.Source != "" {
		return exitError{exitUsage, errors.New("a source is not made of another")}
	}
	return s.act(n, client.Request{Method: http.MethodPost, Path: n.path, Body: body})
}

type sourceUpdateCommand struct {
	apiFlags
	ID       string            `arg:"" help:"The source's id."`
	Metadata map[string]string `required:"" help:"key=value; several." placeholder:"K=V"`
}

func (c *sourceUpdateCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: client.SourceUpdate{Metadata: c.Metadata}})
}

type sourceListCommand struct {
	listCommand
	Customer string `help:"Only those of this customer." placeholder:"cus_…"`
}

func (c *sourceListCommand) Run(s *session, n *noun) error {
	return c.each(s, n, given(map[string]string{"customer": c.Customer}))
}

type balancesCommand struct {
	List    balancesListCommand    `cmd:"" default:"withargs" help:"All currencies, as one snapshot."`
	Get     balancesGetCommand     `cmd:"" help:"One currency."`
	History balancesHistoryCommand `cmd:"" help:"One currency, at the end of each of the last days."`
}

var balanceColumns = []column{plain("CURRENCY", "currency"), amount("AVAILABLE", "available", "currency"), amount("PENDING", "pending", "currency"),
	amount("RESERVED", "reserved", "currency"), amount("RETURNS", "returns", "currency")}

type balancesListCommand struct {
	apiFlags
	At string `help:"Of a past instant: a time, a day, or how long ago." placeholder:"TIME"`
}

func (c *balancesListCommand) Run(s *session) error {
	v, err := s.balances(c.At)
	if err != nil {
		return err
	}
	return s.list(v.at("balances").members, balanceColumns)
}

func (s *session) balances(at string) (*tree, error) {
	q := url.Values{}
	if err := s.times(q, "at", at); err != nil {
		return nil, err
	}
	v, _, err := s.read("/v1/balances", q)
	if err == nil && (v.at("balances") == nil || v.at("balances").kind != '[') {
		err = errNoJSON
	}
	return v, err
}

type balancesGetCommand struct {
	apiFlags
	Currency string `arg:"" help:"ISO 4217."`
	At       string `help:"Of a past instant." placeholder:"TIME"`
}

func (c *balancesGetCommand) Run(s *session) error {
	v, err := s.balances(c.At)
	if err != nil {
		return err
	}
	for _, line := range v.at("balances").members {
		if strings.EqualFold(line.at("currency").string(), c.Currency) {
			return s.object(line, balanceColumns)
		}
	}
	return exitError{exitNotFound, fmt.Errorf("there is no balance in %s", oneLine(c.Currency))}
}

type balancesHistoryCommand struct {
	apiFlags
	Currency string `arg:"" help:"ISO 4217."`
	Days     int    `default:"14" help:"How many days." placeholder:"N"`
}

func (c *balancesHistoryCommand) Run(s *session) error {
	if c.Days < 1 || c.Days > 366 {
		return exitError{exitUsage, errors.New("--days is a number from 1 to 366")}
	}
	rows := s.table(append([]column{plain("DAY", "day")}, balanceColumns[1:]...))
	now := s.now().In(s.zone)
	for n := c.Days - 1; n >= 0; n-- {
		day := time.Date(now.Year(), now.Month(), now.Day()-n, 0, 0, 0, 0, s.zone)
		at := day.AddDate(0, 0, 1).Add(-time.Second)
		if at.After(now) {
			at = now
		}
		v, err := s.balances(at.UTC().Format(time.RFC3339))
		if err != nil {
			return err
		}
		line := &tree{kind: '{', names: []string{"day", "currency"}, members: []*tree{{kind: '"', text: day.Format("2006-01-02")}, {kind: '"', text: strings.ToLower(c.Currency)}}}
		zero := &tree{kind: '0', text: "0"}
		found := &tree{kind: '{'}
		for _, b := range v.at("balances").members {
			if strings.EqualFold(b.at("currency").string(), c.Currency) {
				found = b
			}
		}
		for _, name := range []string{"available", "pending", "reserved", "returns"} {
			m := found.at(name)
			if m == nil {
				m = zero
			}
			line.names, line.members = append(line.names, name), append(line.members, m)
		}
		if err := rows.row(line); err != nil {
			return err
		}
	}
	return rows.end()
}
