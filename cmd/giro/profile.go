package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"giro/client"
)

// profile is one giro that a person works with, and the keys for it.
type profile struct {
	URL        string `toml:"url"`
	Merchant   string `toml:"merchant,omitempty"` // its name, for people
	TestKey    string `toml:"test_key,omitempty"`
	LiveKey    string `toml:"live_key,omitempty"`
	AdminToken string `toml:"admin_token,omitempty"`
}

// profiles is the file of them: ~/.config/giro/config.toml, mode 0600.
type profiles struct {
	Use      string             `toml:"use"`
	Profiles map[string]profile `toml:"profiles"`
}

func profilesPath(t *terminal) (string, error) {
	if v := t.getenv("GIRO_CONFIG"); v != "" {
		return v, nil
	}
	dir := t.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := t.getenv("HOME")
		if home == "" {
			return "", errors.New("there is no home folder; say where profiles are kept with GIRO_CONFIG")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "giro", "config.toml"), nil
}

func readProfiles(t *terminal) (*profiles, error) {
	c := &profiles{Profiles: map[string]profile{}}
	path, err := profilesPath(t)
	if err != nil {
		return c, nil // none are kept; --profile and login say so
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(t.err, "giro: others can read %s, which holds keys: chmod 600 it\n", path)
	}
	if _, err := toml.Decode(string(b), c); err != nil {
		return nil, exitError{exitUsage, fmt.Errorf("%s: %w", path, err)}
	}
	if c.Profiles == nil {
		c.Profiles = map[string]profile{}
	}
	return c, nil
}

// save replaces the file in one step; nobody else ever sees the keys in it.
func (c *profiles) save(t *terminal) error {
	path, err := profilesPath(t)
	if err != nil {
		return exitError{exitUsage, err}
	}
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(b.Bytes()); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// choose returns the profile that a command works with; the zero one where none
// is in use.
func (c *profiles) choose(t *terminal, name string) (profile, error) {
	name = firstOf(name, t.getenv("GIRO_PROFILE"))
	if name == "" {
		return c.Profiles[c.Use], nil
	}
	p, ok := c.Profiles[name]
	if !ok {
		return p, exitError{exitUsage, fmt.Errorf("there is no profile %q; giro profiles list shows them", name)}
	}
	return p, nil
}

func (c *profiles) names() []string {
	var names []string
	for name := range c.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type sessionCommands struct {
	Login    loginCommand    `cmd:"" group:"Session" help:"Keep an address and a key as a profile."`
	Logout   logoutCommand   `cmd:"" group:"Session" help:"Forget a profile's keys."`
	Whoami   whoamiCommand   `cmd:"" group:"Session" help:"Show whom the key speaks for."`
	Profiles profilesCommand `cmd:"" group:"Session" help:"List, choose and remove profiles."`
	Status   statusCommand   `cmd:"" group:"Session" help:"Show whether giro answers and what it holds."`
	Open     openCommand     `cmd:"" group:"Session" help:"Open a page of giro in the browser, or print its address."`
}

type loginCommand struct {
	URL     string `arg:"" optional:"" help:"Address of giro."`
	KeyFile string `help:"File with the key; - is standard input. Else a person is asked." placeholder:"FILE"`
	Profile string `short:"p" default:"default" help:"Name of the profile."`
}

func (c *loginCommand) Run(t *terminal) error {
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	p := config.Profiles[c.Profile]
	p.URL = firstOf(c.URL, p.URL, t.getenv("GIRO_URL"), defaultServer)
	key := t.getenv("GIRO_API_KEY")
	switch {
	case c.KeyFile != "" && c.KeyFile != "-":
		b, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return exitError{exitUsage, err}
		}
		key = strings.TrimSpace(string(b))
	case c.KeyFile == "-" || key == "" && !t.inTTY:
		if key, err = t.line(); err != nil {
			return exitError{exitUsage, errors.New("the key is read from standard input, which is empty")}
		}
		key = strings.TrimSpace(key)
	case key == "":
		fmt.Fprintf(t.err, "Key for %s (sk_test_…, sk_live_… or the admin token): ", p.URL)
		if key, err = t.secret(); err != nil {
			return exitError{exitUsage, err}
		}
		fmt.Fprintln(t.err)
		key = strings.TrimSpace(key)
	}
	if key == "" {
		return exitError{exitUsage, errors.New("there is no key")}
	}
	api, err := client.New(p.URL, key, client.Options{Agent: "giro-cli/" + version, HTTP: &http.Client{Timeout: 30 * time.Second}})
	if err != nil {
		return exitError{exitUsage, err}
	}
	// The key is tried before it is kept.
	var name string
	for m, err := range api.Merchants.List(t.ctx) {
		if err != nil {
			return err
		}
		name = m.Name
		break
	}
	kind := "test key"
	switch {
	case strings.HasPrefix(key, "sk_live_"):
		p.LiveKey, kind = key, "live key"
	case strings.HasPrefix(key, "sk_test_"):
		p.TestKey = key
	default:
		p.AdminToken, kind, name = key, "admin token", p.Merchant
	}
	p.Merchant = name
	config.Profiles[c.Profile], config.Use = p, c.Profile
	if err := config.save(t); err != nil {
		return err
	}
	if name != "" {
		name = " of " + name
	}
	fmt.Fprintf(t.err, "profile %s: %s%s at %s\n", c.Profile, kind, name, p.URL)
	return nil
}

type logoutCommand struct {
	Profile string `arg:"" optional:"" help:"The profile; the one in use if absent."`
}

func (c *logoutCommand) Run(t *terminal) error {
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	name := firstOf(c.Profile, t.getenv("GIRO_PROFILE"), config.Use)
	if _, ok := config.Profiles[name]; !ok {
		return exitError{exitNotFound, errors.New("there is no such profile")}
	}
	config.Profiles[name] = profile{URL: config.Profiles[name].URL}
	if err := config.save(t); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "profile %s has no keys any more; the keys themselves still work until they are revoked\n", name)
	return nil
}

type profilesCommand struct {
	List profilesListCommand   `cmd:"" help:"List profiles; the one in use is marked."`
	Use  profilesUseCommand    `cmd:"" help:"Choose the profile that commands use."`
	Add  loginCommand          `cmd:"" help:"The same as giro login."`
	Rm   profilesRemoveCommand `cmd:"" help:"Remove a profile."`
}

type profilesListCommand struct{ output }

func (c *profilesListCommand) Run(t *terminal) error {
	p, err := c.printer(t)
	if err != nil {
		return err
	}
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	rows := p.table([]column{plain("NAME", "id"), plain("IN USE", "in_use"), text("URL", "url"), text("MERCHANT", "merchant"), plain("KEYS", "keys")})
	for _, name := range config.names() {
		v := config.Profiles[name]
		var keys []string
		for kind, key := range map[string]string{"test": v.TestKey, "live": v.LiveKey, "admin": v.AdminToken} {
			if key != "" {
				keys = append(keys, kind)
			}
		}
		slices.Sort(keys)
		used := ""
		if name == config.Use {
			used = "yes"
		}
		if err := rows.row(record("id", name, "in_use", used, "url", v.URL, "merchant", v.Merchant, "keys", strings.Join(keys, ","))); err != nil {
			return err
		}
	}
	return rows.end()
}

type profilesUseCommand struct {
	Name string `arg:"" help:"The profile."`
}

func (c *profilesUseCommand) Run(t *terminal) error {
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	if _, ok := config.Profiles[c.Name]; !ok {
		return exitError{exitNotFound, fmt.Errorf("there is no profile %q", c.Name)}
	}
	config.Use = c.Name
	return config.save(t)
}

type profilesRemoveCommand struct {
	Name string `arg:"" help:"The profile."`
}

func (c *profilesRemoveCommand) Run(t *terminal) error {
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	if _, ok := config.Profiles[c.Name]; !ok {
		return exitError{exitNotFound, fmt.Errorf("there is no profile %q", c.Name)}
	}
	delete(config.Profiles, c.Name)
	if config.Use == c.Name {
		config.Use = ""
	}
	return config.save(t)
}

type whoamiCommand struct{ apiFlags }

func (c *whoamiCommand) Run(s *session) error {
	merchants, _, err := s.read("/v1/merchants", nil)
	if err != nil {
		return err
	}
	who := record("server", s.url)
	if strings.HasPrefix(s.key, "sk_") || strings.HasPrefix(s.key, "pk_") {
		if len(merchants.members) > 0 {
			who.set("merchant", merchants.members[0].at("id"))
			who.set("name", merchants.members[0].at("name"))
		}
		mode := "test"
		if c.Live {
			mode = "live"
		}
		who.set("mode", &tree{kind: '"', text: mode})
		who.set("key", &tree{kind: '"', text: s.key[:min(8, len(s.key))] + "…" + s.key[max(0, len(s.key)-4):]})
	} else {
		who.set("role", &tree{kind: '"', text: "admin"})
	}
	return s.object(who, nil)
}

type statusCommand struct {
	apiFlags
	Watch bool `help:"Show it again every two seconds until Ctrl-C."`
}

func (c *statusCommand) Run(s *session) error {
	for {
		v, failed := c.look(s)
		if err := s.object(v, nil); err != nil {
			return err
		}
		if !c.Watch {
			return failed
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

// look asks whether giro is ready and, with a key, for its balances.
func (c *statusCommand) look(s *session) (*tree, error) {
	v := &tree{kind: '{'}
	set := func(name, kind, value string) {
		v.set(name, &tree{kind: kind[0], text: value})
	}
	set("server", `"`, s.url)
	started := time.Now()
	_, err := s.c.Send(s.ctx, client.Request{Method: http.MethodGet, Path: "/readyz"})
	set("ready", "t", fmt.Sprint(err == nil))
	if err != nil {
		set("reason", `"`, err.Error())
		return v, err
	}
	set("took_ms", "0", fmt.Sprint(time.Since(started).Milliseconds()))
	if s.key == "" {
		return v, nil
	}
	b, _, err := s.read("/v1/balances", nil)
	if err != nil {
		return v, err
	}
	set("as_of_sequence", "0", b.at("as_of_sequence").string())
	for _, line := range b.at("balances").members {
		currency := line.at("currency").string()
		if !s.people {
			v.set(currency, line.pick([]string{"available", "pending", "reserved", "returns"}))
			continue
		}
		said := s.money(line.at("available"), currency) + " available"
		for _, name := range []string{"pending", "reserved", "returns"} {
			if line.at(name).number() != 0 {
				said += ", " + s.money(line.at(name), currency) + " " + name
			}
		}
		v.set(currency, &tree{kind: '"', text: said})
	}
	return v, nil
}

type openCommand struct {
	remote
	Page  string `arg:"" optional:"" default:"home" help:"home, payments, refunds, payouts, transfers, customers, balances, keys, webhooks, events, logs, sandbox, team, audit, docs, errors, openapi; or the id of an object."`
	Print bool   `help:"Only print the address."`
}

// openPages are the pages by what people call them.
var openPages = map[string]string{"docs": "/docs", "errors": "/docs/errors", "openapi": "/openapi.json", "home": "/app",
	"payments": "/app/payments", "refunds": "/app/refunds", "payouts": "/app/payouts", "transfers": "/app/transfers", "customers": "/app/customers", "balances": "/app/balances",
	"keys": "/app/developers/keys", "webhooks": "/app/developers/webhooks", "events": "/app/developers/events", "logs": "/app/developers/logs", "sandbox": "/app/developers/sandbox",
	"team": "/app/settings/team", "audit": "/app/settings/audit",
	"accounts": "/app/ledger/accounts", "transactions": "/app/ledger/transactions"}

// page is the path of what giro open is asked for.
func (c *openCommand) page() (string, error) {
	page, ok := openPages[c.Page]
	if anID.MatchString(c.Page) {
		prefix, _, _ := strings.Cut(c.Page, "_")
		name := prefixes[prefix]
		if name == "charges" {
			name = "payments"
		}
		if page, ok = openPages[name]; ok && name != "keys" {
			page += "/" + c.Page
		}
	}
	if !ok {
		return "", exitError{exitUsage, fmt.Errorf("there is no page %q: giro open --help lists them", oneLine(c.Page))}
	}
	if c.Live && strings.HasPrefix(page, "/app") {
		page += "?mode=live"
	}
	return page, nil
}

func (c *openCommand) Run(t *terminal) error {
	page, err := c.page()
	if err != nil {
		return err
	}
	config, err := readProfiles(t)
	if err != nil {
		return err
	}
	p, err := config.choose(t, c.Profile)
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(firstOf(c.Server, t.getenv("GIRO_URL"), p.URL, defaultServer), "/") + page
	if c.Print || !t.outTTY {
		_, err := fmt.Fprintln(t.out, target)
		return err
	}
	opener := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if opener == nil {
		opener = []string{"xdg-open"}
	}
	if err := exec.Command(opener[0], append(opener[1:], target)...).Start(); err != nil {
		_, err = fmt.Fprintln(t.out, target)
		return err
	}
	return nil
}
