package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"giro"
	"giro/bank"
	"giro/money"
)

// past makes the demo's payments through the real engine: a shop that is paid
// by card, PIX, boleto and mobile money, refunds some of it, pays its
// suppliers out and shares with its sellers. One seed makes one history.
type past struct {
	engine  *giro.Engine
	clock   *pastClock
	seed    uint64
	call    *giro.Call
	sellers map[money.Currency][]*giro.Account
	n       atomic.Uint64 // numbers the movements

	receivers string // where the shop's own programs listen
}

// market is a currency that the shop trades in: its share of the payments, and
// a usual amount in minor units.
type market struct {
	currency money.Currency
	share    int
	usual    int64
}

var markets = []market{{"BRL", 11, 140_00}, {"MXN", 4, 480_00}, {"COP", 3, 96_000_00}, {"USD", 2, 32_00}}

var (
	givenNames  = strings.Fields("Ana Bruno Camila Diego Elisa Felipe Gabriela Hugo Isabel João Karina Lucas Mariana Nicolás Olívia Paulo Rafaela Sofía Tiago Valentina")
	familyNames = strings.Fields("Almeida Barbosa Cardoso Díaz Esteves Ferreira García Herrera Lima Martins Nogueira Ortiz Pereira Quintero Ribeiro Santos Torres Vargas")
	wares       = []string{"Coffee beans", "Trail shoes", "Ceramic set", "Notebook stand", "Cotton hammock", "Headphones", "Desk lamp", "Rain jacket", "Cast-iron pan", "Guitar strings"}
	sellerNames = []string{"North shop", "South shop"}
	unaccented  = strings.NewReplacer("ã", "a", "á", "a", "í", "i", "ó", "o", "é", "e")
)

// found gives the first merchant a name, money and sellers.
func (s *past) found(ctx context.Context, merchant string) error {
	id, _ := giro.ParseID("mer", merchant)
	m, err := s.engine.MerchantByID(ctx, id)
	if err != nil {
		return err
	}
	named := *m
	named.Name = "Aurora Market"
	if m, err = s.engine.UpdateMerchant(ctx, &giro.Call{Merchant: m, Admin: true}, &named); err != nil {
		return err
	}
	s.call = &giro.Call{Merchant: m}
	s.sellers = map[money.Currency][]*giro.Account{}
	for _, k := range markets {
		if _, err := s.engine.Fund(ctx, s.call, k.currency, k.usual*400); err != nil {
			return err
		}
		for _, name := range sellerNames {
			a, err := s.engine.CreateAccount(ctx, s.call, sellerName(name, k.currency), k.currency, false, nil)
			if err != nil {
				return err
			}
			s.sellers[k.currency] = append(s.sellers[k.currency], a)
		}
	}
	return nil
}

func sellerName(name string, c money.Currency) string { return name + " " + c.Lower() }

// resume goes on with a demo that was found before: its sellers are looked up,
// its receivers told to where they are now, and numbers begin above those that
// were given.
func (s *past) resume(ctx context.Context) error {
	m, err := s.engine.Merchant(ctx, 1)
	if err != nil {
		return err
	}
	s.call = &giro.Call{Merchant: m}
	s.sellers = map[money.Currency][]*giro.Account{}
	accounts, _, err := s.engine.Store.Accounts(ctx, giro.AccountQuery{Book: giro.BookOf(m.Number, false), Roles: []giro.Role{giro.RoleSub}, Limit: 1000})
	if err != nil {
		return err
	}
	for _, a := range accounts {
		for _, name := range sellerNames {
			if a.Name == sellerName(name, a.Currency) && !a.Closed {
				s.sellers[a.Currency] = append(s.sellers[a.Currency], a)
			}
		}
	}
	s.n.Store(uint64(giro.Micros(s.clock.now()) / 1_000_000))
	return s.subscribe(ctx, false)
}

// days makes the last days: some rounds of payments a day, more of them from week
// to week and fewer at weekends. What is due in a round is done before the next
// begins. At the end there is something left to do.
func (s *past) days(ctx context.Context, days int) error {
	now := s.clock.now
	begin, end := now(), time.Now()
	for day := range days + 1 {
		if day == max(days-1, 0) {
			if err := s.subscribe(ctx, true); err != nil {
				return err
			}
		}
		r := rand.New(rand.NewPCG(s.seed, uint64(day)))
		date := begin.AddDate(0, 0, day)
		rounds := 4 + 4*day/max(days, 1)
		if w := date.Weekday(); w == time.Saturday || w == time.Sunday {
			rounds /= 2
		}
		for round := range rounds {
			at := date.Add(time.Hour + time.Duration(round)*22*time.Hour/time.Duration(rounds) + time.Duration(r.IntN(5000))*time.Second)
			if at.Add(time.Minute).After(end) {
				break
			}
			s.clock.at.Store(giro.Micros(at))
			if err := s.round(ctx, r, 3+r.IntN(5), end.Sub(at) < 36*time.Hour); err != nil {
				return err
			}
			// Seconds later every outcome of the round is known.
			at = at.Add(3 * time.Second)
			s.clock.at.Store(giro.Micros(at))
			if err := s.engine.Drain(ctx, giro.Micros(at)); err != nil {
				return err
			}
		}
	}
	return s.leaveOpen(ctx)
}

// leaveOpen makes what somebody has to look at: payouts that the rail holds, or
// has not answered for an hour or so.
func (s *past) leaveOpen(ctx context.Context) error {
	r := rand.New(rand.NewPCG(s.seed, 1<<41))
	s.clock.at.Store(max(s.clock.at.Load(), giro.Micros(time.Now().Add(-time.Hour))))
	for _, outcome := range []string{"onhold", "pending", "onhold", "pending", "pending"} {
		if err := s.payoutWith(ctx, r, markets[0], markets[0].usual+r.Int64N(markets[0].usual), s.someone(r), s.n.Add(1), outcome); err != nil {
			return err
		}
	}
	at := s.clock.now().Add(3 * time.Second)
	s.clock.at.Store(giro.Micros(at))
	return s.engine.Drain(ctx, giro.Micros(at))
}

// round makes n movements at once.
func (s *past) round(ctx context.Context, r *rand.Rand, n int, lately bool) error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for range n {
		one := rand.New(rand.NewPCG(r.Uint64(), s.seed))
		all.Go(func() {
			if err := s.one(ctx, one, lately); err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if p := failed.Load(); p != nil {
		return *p
	}
	return nil
}

// goOn makes payments at a rate per second until ctx ends.
func (s *past) goOn(ctx context.Context, rate float64) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	r := rand.New(rand.NewPCG(s.seed, 1<<40))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.one(ctx, r, true); err != nil && ctx.Err() == nil {
				s.engine.Logf("the demo's next payment: %v", err)
			}
		}
	}
}

// one makes one movement, and what follows from it at once.
func (s *past) one(ctx context.Context, r *rand.Rand, lately bool) error {
	n := s.n.Add(1)
	var k market
	pick := r.IntN(20) // the shares' sum
	for _, k = range markets {
		if pick -= k.share; pick < 0 {
			break
		}
	}
	amount := k.usual/4 + r.Int64N(k.usual)*r.Int64N(3) + r.Int64N(k.usual)
	who := s.someone(r)
	switch kind := r.IntN(100); {
	case kind < 62:
		return s.charge(ctx, r, k, amount, who, n, lately)
	case kind < 90:
		return s.payout(ctx, r, k, amount*2/3+1, who, n, lately)
	}
	sellers := s.sellers[k.currency]
	if len(sellers) == 0 {
		return nil // somebody has closed them
	}
	_, err := s.engine.CreateTransfer(ctx, s.ask(""), giro.Request{
		Amount: amount/5 + 1, Currency: k.currency, Destination: sellers[r.IntN(len(sellers))].ID,
		Reference: fmt.Sprintf("share-%d", n), Description: "Seller's share",
	})
	return affordable(err)
}

// ask is a request of the shop, with an outcome that the sandbox is told.
func (s *past) ask(outcome string) *giro.Call {
	c := *s.call
	c.Simulate = outcome
	return &c
}

// affordable lets a refusal for missing money pass: a shop has lean days.
func affordable(err error) error {
	if giro.Is(err, giro.CodeInsufficientFunds) {
		return nil
	}
	return err
}

// someone is one of some three hundred fictional people.
func (s *past) someone(r *rand.Rand) *giro.Party {
	given, family := r.IntN(len(givenNames)), r.IntN(len(familyNames))
	name := givenNames[given] + " " + familyNames[family]
	cpf := bank.Sample("cpf", uint64(given*len(familyNames)+family))
	return &giro.Party{
		Name:     name,
		Email:    strings.ToLower(unaccented.Replace(strings.ReplaceAll(name, " ", "."))) + "@example.com",
		Document: &giro.Document{Type: "CPF", Number: cpf, Country: "BR"},
	}
}

func (s *past) charge(ctx context.Context, r *rand.Rand, k market, amount int64, who *giro.Party, n uint64, lately bool) error {
	req := giro.Request{
		Amount: amount, Currency: k.currency, Provider: "card", Card: &giro.Card{Token: "tok_ok"}, Capture: true,
		Reference: fmt.Sprintf("order-%d", 1000+n), Description: wares[r.IntN(len(wares))],
		Metadata: map[string]string{"channel": []string{"app", "web", "store"}[r.IntN(3)]},
	}
	outcome := ""
	switch method := r.IntN(10); {
	case k.currency == "BRL" && method < 5:
		req.Provider, req.Card, req.Bank = "bank", nil, &giro.Bank{Method: "pix"}
	case k.currency == "BRL" && method == 5:
		req.Provider, req.Card, req.Bank = "bank", nil, &giro.Bank{Method: "boleto"}
	}
	if req.Card == nil {
		outcome = "succeeded"
		if lately && r.IntN(6) == 0 {
			outcome = "" // not paid yet
		}
	} else {
		switch r.IntN(40) {
		case 0, 1:
			req.Card.Token = "tok_declined"
		case 2, 3:
			req.Card.Token = "tok_insufficient_funds"
		case 4:
			req.Card.Token = "tok_expired"
		case 5:
			req.Card.Token = "tok_fraud"
		case 6:
			req.Capture = !lately
		}
	}
	if r.IntN(3) > 0 {
		req.CustomerReference, req.NewCustomer = who.Email, who
	}
	made, err := s.engine.CreateCharge(ctx, s.ask(outcome), req)
	if err != nil || made.Movement.Captured == 0 || r.IntN(14) > 0 {
		return err
	}
	back := made.Movement.Captured
	if r.IntN(2) == 0 {
		back = back/2 + 1
	}
	_, err = s.engine.CreateRefund(ctx, s.ask(""), giro.Request{Charge: made.Movement.ID, Amount: back, Reason: "requested_by_customer"})
	return affordable(err)
}

func (s *past) payout(ctx context.Context, r *rand.Rand, k market, amount int64, who *giro.Party, n uint64, lately bool) error {
	outcome := "succeeded"
	switch at := r.IntN(40); {
	case at == 0:
		outcome = "failed:account_closed"
	case at == 1:
		outcome = "failed:invalid_key"
	case at == 2:
		outcome = "returned"
	case at == 3 && lately:
		outcome = "onhold"
	case at < 6 && lately:
		outcome = "pending"
	}
	return s.payoutWith(ctx, r, k, amount, who, n, outcome)
}

func (s *past) payoutWith(ctx context.Context, r *rand.Rand, k market, amount int64, who *giro.Party, n uint64, outcome string) error {
	to := &giro.Bank{Method: "transfer", Country: "US", AccountNumber: fmt.Sprintf("%010d", r.Uint64N(1e10))}
	party := &giro.Party{Name: who.Name}
	switch k.currency {
	case "BRL":
		to = &giro.Bank{Method: "pix", Key: who.Document.Number, KeyType: "cpf"}
		party.Document = who.Document
	case "MXN":
		to = &giro.Bank{Method: "spei", Account: bank.Sample("clabe", r.Uint64())}
	case "COP":
		to.Country = "CO"
	}
	req := giro.Request{
		Amount: amount, Currency: k.currency, Provider: "bank", Bank: to, Recipient: party,
		Reference: fmt.Sprintf("payout-%d", 1000+n), Description: "Supplier " + who.Name,
	}
	if r.IntN(3) > 0 {
		req.CustomerReference, req.NewCustomer = who.Email, who
	}
	_, err := s.engine.CreatePayout(ctx, s.ask(outcome), req)
	return affordable(err)
}
