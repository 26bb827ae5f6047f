package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"giro/client"
	"giro/store"
)

type officeCommands struct {
	Export  exportCommand  `cmd:"" group:"Data" help:"Write charges, refunds, payouts, transfers, customers or an account's entries as CSV."`
	Rates   ratesCommand   `cmd:"" group:"Admin" help:"Rates of exchange."`
	Users   usersCommand   `cmd:"" group:"Admin" help:"The people of a merchant's team."`
	Audit   auditCommand   `cmd:"" group:"Admin" help:"What people did, newest first."`
	Proof   proofCommand   `cmd:"" group:"Ledger" help:"When the server last recomputed its ledger, and what it found."`
	Migrate migrateCommand `cmd:"" group:"Store" help:"Show or bring up to date the schema of a store."`
	Doctor  doctorCommand  `cmd:"" group:"Help" help:"Check what giro needs: address, key, clock, data folder. Exit 11 where something is wrong."`
}

type exportCommand struct {
	remote
	Kind      string   `arg:"" enum:"charges,refunds,payouts,transfers,customers,entries" help:"charges, refunds, payouts, transfers, customers or entries."`
	To        string   `help:"File to write; it must not exist. Standard output if absent." placeholder:"FILE"`
	Gzip      bool     `help:"Compress."`
	Columns   []string `help:"Only these, in this order." placeholder:"A,B"`
	Account   string   `help:"Whose entries." placeholder:"acct_…"`
	Status    []string `help:"Of movements." placeholder:"STATUS"`
	Currency  string   `help:"ISO 4217." placeholder:"CODE"`
	Customer  string   `help:"A customer's id." placeholder:"cus_…"`
	Reference string   `help:"The merchant's own id." placeholder:"TEXT"`
	Since     string   `help:"Created at or after: a time, a day, or how long ago." placeholder:"TIME"`
	Until     string   `help:"Created before." placeholder:"TIME"`
}

func (c *exportCommand) Run(t *terminal) error {
	s, err := (&apiFlags{remote: c.remote}).ProvideSession(t)
	if err != nil {
		return err
	}
	q := given(map[string]string{"columns": strings.Join(c.Columns, ","), "account": c.Account, "status": strings.Join(c.Status, ","),
		"currency": c.Currency, "customer": c.Customer, "reference": c.Reference})
	if err := s.times(q, "created[gte]", c.Since, "created[lt]", c.Until); err != nil {
		return err
	}
	if s.key == "" {
		return exitError{exitUnauthenticated, errors.New("there is no key: run giro login, or set GIRO_API_KEY")}
	}
	rows, err := s.c.Open(t.ctx, "/v1/exports/"+c.Kind, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	if c.To == "" {
		return copyRows(t.out, rows, c.Gzip)
	}
	f, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return exitError{exitConflict, err}
	}
	if err != nil {
		return err
	}
	err = copyRows(f, rows, c.Gzip)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(c.To) // half an export looks like a whole one
	}
	return err
}

func copyRows(to io.Writer, rows io.Reader, compress bool) error {
	if !compress {
		_, err := io.Copy(to, rows)
		return err
	}
	z := gzip.NewWriter(to)
	if _, err := io.Copy(z, rows); err != nil {
		return err
	}
	return z.Close()
}

type ratesCommand struct {
	List wholeListCommand `cmd:"" help:"List the rates."`
	Set  ratesSetCommand  `cmd:"" help:"Set a rate: giro rates set usd brl 5.25."`
}

type ratesSetCommand struct {
	apiFlags
	asking
	From string `arg:"" help:"ISO 4217."`
	To   string `arg:"" help:"ISO 4217."`
	Rate string `arg:"" help:"Units of the second for one of the first."`
}

func (c *ratesSetCommand) Run(s *session, n *noun) error {
	if err := s.confirm(c.asking, "exchange "+c.From+" to "+c.To+" at "+c.Rate); err != nil {
		return err
	}
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.path, Body: map[string]string{"from": c.From, "to": c.To, "rate": c.Rate}})
}

type usersCommand struct {
	List    usersListCommand   `cmd:"" help:"List the team."`
	Invite  usersInviteCommand `cmd:"" help:"Invite a person; prints the link's path, once."`
	Role    usersRoleCommand   `cmd:"" help:"Give a person another role."`
	Disable usersVerbCommand   `cmd:"" help:"Take a person out of the team."`
	Reset   usersVerbCommand   `cmd:"" help:"Make a link with which a person sets a new password."`
	Roles   usersRolesCommand  `cmd:"" help:"What each role may do."`

	Invitations usersInvitationsCommand `cmd:"" help:"List the invitations that are open."`
	Withdraw    usersWithdrawCommand    `cmd:"" help:"Withdraw an invitation."`
}

// ofTeam says whose team it is, for the admin token.
type ofTeam struct {
	apiFlags
	Merchant string `help:"Whose team; needed with the admin token." placeholder:"mer_…"`
}

// ProvideSession takes the admin token where a merchant is named, else the key.
func (f *ofTeam) ProvideSession(t *terminal) (*session, error) {
	s, err := f.connect(t, f.Merchant != "")
	if err == nil {
		s.of = f.Merchant
	}
	return s, err
}

type usersListCommand struct{ ofTeam }

func (c *usersListCommand) Run(s *session, n *noun) error { return s.all(n.path, nil, n.columns) }

var invitation = &noun{"invitation", "/v1/invitations", []column{plain("ID", "id"), text("EMAIL", "email"), plain("ROLE", "role"), plain("PATH", "path"), plain("EXPIRES", "expires_at")}}

type usersInviteCommand struct {
	ofTeam
	Email string `arg:"" help:"E-mail address."`
	Role  string `required:"" help:"owner, admin, …; giro users roles lists them." placeholder:"ROLE"`
}

func (c *usersInviteCommand) Run(s *session) error {
	return s.act(invitation, client.Request{Method: http.MethodPost, Path: invitation.path, Body: map[string]string{"email": c.Email, "role": c.Role}})
}

type usersInvitationsCommand struct{ ofTeam }

func (c *usersInvitationsCommand) Run(s *session) error {
	return s.all(invitation.path, nil, invitation.columns)
}

type usersWithdrawCommand struct {
	ofTeam
	ID string `arg:"" help:"The invitation's id."`
}

func (c *usersWithdrawCommand) Run(s *session) error {
	return s.act(said, client.Request{Method: http.MethodDelete, Path: invitation.at(c.ID)})
}

type usersRoleCommand struct {
	ofTeam
	ID   string `arg:"" help:"The person's id."`
	Role string `arg:"" help:"The role."`
}

func (c *usersRoleCommand) Run(s *session, n *noun) error {
	return s.act(n, client.Request{Method: http.MethodPut, Path: n.at(c.ID), Body: map[string]string{"role": c.Role}})
}

type usersVerbCommand struct {
	ofTeam
	ID string `arg:"" help:"The person's id."`
}

func (c *usersVerbCommand) Run(s *session, n *noun, named verb) error {
	if named == "reset" {
		return s.act(invitation, client.Request{Method: http.MethodPost, Path: n.at(c.ID, "reset"), Body: struct{}{}})
	}
	return s.act(said, client.Request{Method: http.MethodDelete, Path: n.at(c.ID)})
}

type usersRolesCommand struct{ apiFlags }

func (c *usersRolesCommand) Run(s *session) error {
	return s.all("/v1/roles", nil, []column{plain("ROLE", "name"), text("TEST", "test"), text("LIVE", "live")})
}

type auditCommand struct {
	List auditListCommand `cmd:"" default:"withargs" help:"List what people did, newest first."`
	Tail auditTailCommand `cmd:"" help:"What people do as they do it, until Ctrl-C."`
}

// auditing are the filters of the audit log.
type auditing struct {
	Person string `help:"Only what this person did." placeholder:"per_…"`
	Action string `help:"Only this operation: createRefund." placeholder:"NAME"`
	Target string `help:"Only what was done to this object." placeholder:"ID"`
}

func (a *auditing) query() url.Values {
	return given(map[string]string{"person": a.Person, "action": a.Action, "target": a.Target})
}

type auditListCommand struct {
	apiFlags
	paging
	auditing
}

func (c *auditListCommand) Run(s *session, n *noun) error { return c.each(s, n, c.query()) }

type auditTailCommand struct {
	apiFlags
	auditing
	following
}

func (c *auditTailCommand) Run(s *session, n *noun) error {
	return c.follow(s, n, c.query(), func(*tree) bool { return false })
}

type proofCommand struct {
	Show proofShowCommand `cmd:"" default:"withargs" help:"Show the last one. Exit 11 where the books did not add up."`
	Run  proofRunCommand  `cmd:"" help:"Recompute now, and wait for the end. Exit 11 where the books do not add up."`
}

var proofColumns = []column{plain("STATE", "state"), plain("ENTRIES", "entries"), plain("FINISHED", "finished_at")}

// settleProof prints a proof; a faulty one ends with 11.
func (s *session) settleProof(v *tree) error {
	if err := s.object(v, proofColumns); err != nil {
		return err
	}
	if v.at("state").string() == "faulty" {
		return exitError{exitIntegrity, errors.New("the books do not add up")}
	}
	return nil
}

type proofShowCommand struct{ apiFlags }

func (c *proofShowCommand) Run(s *session) error {
	v, _, err := s.read("/v1/ledger/verification", nil)
	if err != nil {
		return err
	}
	return s.settleProof(v)
}

type proofRunCommand struct{ apiFlags }

func (c *proofRunCommand) Run(s *session) error {
	v, _, err := s.send(client.Request{Method: http.MethodPost, Path: "/v1/ledger/verification", Body: struct{}{}})
	if err != nil {
		return err
	}
	ctx := s.ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	for wait := 50 * time.Millisecond; v.at("running").string() == "true"; wait = min(2*wait, 2*time.Second) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if v, _, err = s.read("/v1/ledger/verification", nil); err != nil {
			return err
		}
	}
	return s.settleProof(v)
}

type migrateCommand struct {
	Status migrateStatusCommand `cmd:"" help:"Say whether a store has every migration of this binary. Changes nothing."`
	Up     migrateUpCommand     `cmd:"" help:"Bring the schema of a store up to date, as serve does."`
}

type migrateStatusCommand struct{ place }

func (c *migrateStatusCommand) Run(t *terminal) error { return c.migrated(t, true) }

// migrated opens a store, which brings its schema up to date unless it is only
// read, and refuses one that is not.
func (p *place) migrated(t *terminal, readOnly bool) error {
	s, err := p.openStore(t.ctx, time.Now, readOnly)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = fmt.Fprintln(t.out, "the store has every migration of this binary")
	return err
}

type migrateUpCommand struct{ place }

func (c *migrateUpCommand) Run(t *terminal) error { return c.migrated(t, false) }

type doctorCommand struct {
	apiFlags
	Data string `help:"A data folder to look at too." placeholder:"DIR"`
}

// Run looks at one thing after the other and says what is wrong with each.
func (c *doctorCommand) Run(s *session) error {
	rows := s.table([]column{plain("CHECK", "check"), plain("STATE", "state"), text("DETAIL", "detail")})
	wrong := 0
	say := func(check, state, detail string) {
		if state == "wrong" {
			wrong++
		}
		rows.row(record("check", check, "state", state, "detail", detail))
	}
	judge := func(check, good string, err error) bool {
		if err != nil {
			say(check, "wrong", err.Error())
			return false
		}
		say(check, "good", good)
		return true
	}
	a, err := s.c.Send(s.ctx, client.Request{Method: http.MethodGet, Path: "/readyz"})
	if judge("server", s.url, err) {
		c.clock(a, s, say)
		switch {
		case s.key == "":
			say("key", "none", "run giro login, or set GIRO_API_KEY")
		default:
			_, _, err := s.read("/v1/merchants", url.Values{"limit": {"1"}})
			judge("key", s.key[:min(8, len(s.key))]+"…", err)
		}
	}
	if u, err := url.Parse(s.url); err == nil && u.Scheme == "http" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" && u.Hostname() != "::1" {
		say("encryption", "wrong", "the key goes over the network unencrypted: put TLS in front of giro and use https")
	}
	if path, err := profilesPath(s.terminal); err == nil {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			say("profiles", "wrong", path+" holds keys and others can read it: chmod 600")
		}
	}
	if c.Data != "" {
		c.folder(s, say)
	}
	if err := rows.end(); err != nil {
		return err
	}
	if wrong > 0 {
		return exitError{exitIntegrity, errors.New(strconv.Itoa(wrong) + " of the checks found something wrong")}
	}
	return nil
}

// clock compares the server's clock with this machine's.
func (c *doctorCommand) clock(a *client.Answer, s *session, say func(check, state, detail string)) {
	at, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return
	}
	if off := s.now().Sub(at); off < -5*time.Second || off > 5*time.Second {
		say("clock", "wrong", "this machine and the server are "+off.Round(time.Second).Abs().String()+" apart: signatures and expiries go by the clock")
		return
	}
	say("clock", "good", "within 5 seconds of the server's")
}

// folder looks at an embedded store without changing it.
func (c *doctorCommand) folder(s *session, say func(check, state, detail string)) {
	open := func(info os.FileInfo) bool { return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 }
	switch info, err := os.Stat(c.Data); {
	case err != nil:
		say("folder", "wrong", err.Error())
		return
	case open(info):
		say("folder", "wrong", "others on this machine can look into "+c.Data+": chmod 700")
	default:
		say("folder", "good", c.Data)
	}
	switch info, err := os.Stat(filepath.Join(c.Data, "secret.key")); {
	case errors.Is(err, os.ErrNotExist):
		say("installation's key", "none", "it lies elsewhere; keep a copy of it apart from the data")
	case err != nil:
		say("installation's key", "wrong", err.Error())
	case open(info):
		say("installation's key", "wrong", "others on this machine can read it: chmod 600")
	default:
		say("installation's key", "good", "keep a copy of it apart from the data")
	}
	held, err := store.OpenSQLite(c.Data, store.Options{Now: time.Now, ReadOnly: true})
	if err != nil {
		say("store", "wrong", err.Error())
		return
	}
	defer held.Close()
	if err := held.Ping(s.ctx); err != nil {
		say("store", "wrong", err.Error())
		return
	}
	say("store", "good", "opens, and its schema is this binary's; giro verify recomputes the ledger")
}
