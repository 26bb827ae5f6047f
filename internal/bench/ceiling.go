package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"giro"
	"giro/money"
)

// ServeCeiling serves what a payments server cannot be faster than on this
// machine: it decodes the same bodies, keeps balances and keys in memory under
// one lock, appends each creation to a log that is synced before the answer, in
// groups, and answers the same JSON. No database, no history, no rules.
func ServeCeiling(ctx context.Context, folder string, say io.Writer) error {
	f, err := os.Create(filepath.Join(folder, "ceiling.log"))
	if err != nil {
		return err
	}
	defer f.Close()
	c := &ceiling{log: f, wake: make(chan struct{}, 1), balances: map[string]int64{}, keys: map[string]giro.UUID{}, ids: giro.UUIDs()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(say, "{\"url\":\"http://%s\"}\n", l.Addr())
	go c.commitLoop(ctx)
	h := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		h.Close()
	}()
	if err := h.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

type ceiling struct {
	mu       sync.Mutex
	balances map[string]int64
	keys     map[string]giro.UUID
	pending  []byte // log lines of those who wait
	waiting  chan struct{}
	wake     chan struct{}
	log      *os.File
	ids      func(time.Time) giro.UUID
}

// body has the members of both creations that the ceiling takes.
type body struct {
	Amount      int64       `json:"amount"`
	Currency    string      `json:"currency"`
	Provider    string      `json:"provider"`
	Account     string      `json:"account"`
	From        string      `json:"from_account"`
	Destination string      `json:"destination"`
	Bank        *giro.Bank  `json:"bank"`
	Recipient   *giro.Party `json:"recipient"`
	Description string      `json:"description"`
}

func (c *ceiling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var in body
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	m := giro.Movement{
		ID: c.ids(now), Book: 2, Kind: giro.KindPayout, Status: giro.StatusPending, Amount: in.Amount, Currency: money.Currency("BRL"),
		Created: giro.Micros(now), Updated: giro.Micros(now), Version: 1,
		Detail: giro.Detail{Rail: "sandbox", Provider: in.Provider, Bank: in.Bank, Recipient: in.Recipient, Description: in.Description},
	}
	from, to := in.Account, "reserved"
	if in.From != "" {
		m.Kind, from, to = giro.KindTransfer, in.From, in.Destination
	}
	m.Detail.Account, _ = giro.ParseID("acct", from)
	answer := m.AppendJSON(make([]byte, 0, 1024))
	key := r.Header.Get("Idempotency-Key")

	c.mu.Lock()
	if _, used := c.keys[key]; used {
		c.mu.Unlock()
		http.Error(w, "key used", http.StatusConflict)
		return
	}
	c.keys[key] = m.ID
	c.balances[from] -= in.Amount
	c.balances[to] += in.Amount
	c.pending = append(append(append(c.pending, key...), ' '), answer...)
	c.pending = append(c.pending, '\n')
	if c.waiting == nil {
		c.waiting = make(chan struct{})
	}
	written := c.waiting
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-written
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(answer))}
	w.WriteHeader(http.StatusCreated)
	w.Write(answer)
}

// commitLoop writes and syncs what has gathered while the last sync ran.
func (c *ceiling) commitLoop(ctx context.Context) {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		lines, waiting := c.pending, c.waiting
		c.pending, c.waiting = spare[:0], nil
		c.mu.Unlock()
		if waiting == nil {
			continue
		}
		if _, err := c.log.Write(lines); err != nil {
			panic(err)
		}
		if err := c.log.Sync(); err != nil {
			panic(err)
		}
		close(waiting)
		spare = lines
	}
}
