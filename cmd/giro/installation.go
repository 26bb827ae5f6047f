package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"giro"
	"giro/api"
	"giro/rail"
	"giro/store"
	"giro/webhook"
)

// place says where an installation keeps its data and its key.
type place struct {
	Data          string `help:"Folder of the embedded store." default:"giro-data" env:"GIRO_DATA"`
	Database      string `help:"postgres:// URL of a PostgreSQL database, instead of the embedded store." env:"GIRO_DATABASE"`
	SecretKeyFile string `help:"File with the installation's key, 32 bytes as hex. Made in the data folder when absent." env:"GIRO_SECRET_KEY_FILE"`

	loading bool // giro seed: the store is filled and may be lost on the way
}

// installation is an opened store with an engine over it.
type installation struct {
	store  giro.Store
	engine *giro.Engine
	admin  func(token string) bool
	out    *lateTransport // to the providers behind live rails

	lastBackup  func() time.Time // nil: not known
	rateLimit   int              // requests per second of one credential; 0: any number
	verifyEvery time.Duration    // 0: never by itself
	verifyAfter time.Duration    // not before, after the start
}

// open opens the store for writing and sets up the engine, not started.
func (p *place) open(ctx context.Context, now func() time.Time, log *slog.Logger) (*installation, error) {
	secret, err := p.secret()
	if err != nil {
		return nil, err
	}
	s, err := p.openStore(ctx, now, false)
	if err != nil {
		return nil, err
	}
	e := &giro.Engine{Store: s, Now: now, NewID: giro.UUIDs(), Secret: secret, Notice: api.Notification, Logf: func(format string, args ...any) { log.Error(fmt.Sprintf(format, args...)) }}
	out := &lateTransport{ready: make(chan struct{})}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}, "smartfastpay": &rail.SmartFastPay{
		HTTP:   &http.Client{Transport: out, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Verify: webhook.VerifySmartFastPay, Now: now,
		Account: func(ctx context.Context, book giro.Book) (*giro.RailAccount, error) {
			m, err := e.Merchant(ctx, book.Merchant())
			if err != nil {
				return nil, err
			}
			return e.RailAccount(ctx, m, "smartfastpay")
		},
	}}
	return &installation{store: s, engine: e, out: out}, nil
}

// lateTransport sends requests to providers once it is known where they may go,
// which depends on the address that is served; until then they wait.
type lateTransport struct {
	ready chan struct{}
	to    http.RoundTripper
}

// allow lets the requests go; once.
func (t *lateTransport) allow(to http.RoundTripper) {
	t.to = to
	close(t.ready)
}

// closed reports whether requests still have to wait.
func (t *lateTransport) closed() bool {
	select {
	case <-t.ready:
		return false
	default:
		return true
	}
}

// RoundTrip implements http.RoundTripper.
func (t *lateTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-t.ready:
		return t.to.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (p *place) openStore(ctx context.Context, now func() time.Time, readOnly bool) (giro.Store, error) {
	ids := giro.UUIDs()
	o := store.Options{Now: now, NewID: func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }, Salt: giro.Salt, ReadOnly: readOnly, Loading: p.loading}
	if p.Database != "" {
		return store.OpenPostgres(ctx, p.Database, o)
	}
	if readOnly {
		if _, err := os.Stat(filepath.Join(p.Data, "giro.db")); errors.Is(err, os.ErrNotExist) {
			return nil, exitError{exitUsage, fmt.Errorf("there is no store in %s: name its folder with --data, or a --database", p.Data)}
		}
	} else if err := os.MkdirAll(p.Data, 0o700); err != nil {
		return nil, err
	}
	return store.OpenSQLite(p.Data, o)
}

// secret reads the installation's key, or makes it.
func (p *place) secret() (giro.Secret, error) {
	var s giro.Secret
	text := os.Getenv("GIRO_SECRET_KEY")
	path := p.SecretKeyFile
	if path == "" {
		path = filepath.Join(p.Data, "secret.key")
	}
	if text == "" {
		b, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist) && p.SecretKeyFile == "":
			rand.Read(s[:])
			if err := os.MkdirAll(p.Data, 0o700); err != nil {
				return s, err
			}
			return s, os.WriteFile(path, []byte(hex.EncodeToString(s[:])+"\n"), 0o600)
		case err != nil:
			return s, err
		}
		text = string(b)
	}
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != len(s) {
		return s, errors.New("the installation's key is not 32 bytes as hex")
	}
	return giro.Secret(b), nil
}

// credentials is what the first start prints, once.
type credentials struct {
	URL        string `json:"url"`
	Merchant   string `json:"merchant"`
	AdminToken string `json:"admin_token"`
	// DashboardURL is the one-time link with which the first owner signs in.
	DashboardURL string                 `json:"dashboard_url,omitempty"`
	Keys         map[string]giro.KeySet `json:"keys"`
}

// adminSetting is the document that holds the hash of the admin token and the
// proof of the installation's key.
type adminSetting struct {
	AdminHash string `json:"admin_hash"`
	KeyProof  string `json:"key_proof"`
}

const settingInstallation = "installation"

func hash(s giro.Secret, purpose, v string) string {
	h := s.MAC(purpose, v)
	return hex.EncodeToString(h[:])
}

// found prepares an empty store: the first merchant, its keys, the admin token.
// On a store that was founded before it returns nil and checks the key.
func (in *installation) found(ctx context.Context, adminToken string) (*credentials, error) {
	e := in.engine
	d, err := in.store.DocumentByLookup(ctx, giro.DocSetting, settingInstallation)
	if err != nil {
		return nil, err
	}
	var setting adminSetting
	proof := hash(e.Secret, "key proof", "")
	if d != nil {
		if err := json.Unmarshal(d.Data, &setting); err != nil {
			return nil, err
		}
		if setting.KeyProof != proof {
			return nil, errors.New("this is not the key that the store was made with; give the right one with --secret-key-file or GIRO_SECRET_KEY")
		}
		if want := hash(e.Secret, "admin token", adminToken); adminToken != "" && want != setting.AdminHash {
			setting.AdminHash = want
			if d.Data, err = json.Marshal(setting); err != nil {
				return nil, err
			}
			// Another process that starts with the same token has done it already.
			if _, err := e.Put(ctx, nil, giro.Refuse(giro.CodeConflict, "", "the setting is held by another document"), d); err != nil && !giro.Is(err, giro.CodePreconditionFailed) {
				return nil, fmt.Errorf("store the admin token: %w", err)
			}
		}
		in.watchAdmin(setting.AdminHash)
		return nil, nil
	}
	if adminToken == "" {
		var b [24]byte
		rand.Read(b[:])
		adminToken = "adm_" + hex.EncodeToString(b[:])
	}
	setting = adminSetting{AdminHash: hash(e.Secret, "admin token", adminToken), KeyProof: proof}
	data, err := json.Marshal(setting)
	if err != nil {
		return nil, err
	}
	t, err := e.CreateTenant(ctx, nil, giro.Merchant{Name: "First merchant", Currency: "USD"},
		&giro.StoredDocument{Kind: giro.DocSetting, ID: e.NewID(e.Now()), Lookup: settingInstallation, Data: data})
	if giro.Is(err, giro.CodeConflict) || giro.Is(err, giro.CodeUnavailable) {
		// Another process founded the store at the same moment.
		if d, again := in.store.DocumentByLookup(ctx, giro.DocSetting, settingInstallation); again == nil && d != nil {
			return in.found(ctx, "")
		}
	}
	if err != nil {
		return nil, err
	}
	in.watchAdmin(setting.AdminHash)
	return &credentials{Merchant: t.Merchant.ID.ID("mer"), AdminToken: adminToken, Keys: map[string]giro.KeySet{"test": t.Test, "live": t.Live}}, nil
}

// watchAdmin compares with the stored hash of the admin token, which another
// process may replace: it is read again when it was not for a second.
func (in *installation) watchAdmin(want string) {
	var mu sync.Mutex
	read := in.engine.Now()
	in.admin = func(token string) bool {
		if strings.HasPrefix(token, "sk_") || strings.HasPrefix(token, "pk_") {
			return false // an API key, which most tokens are
		}
		mu.Lock()
		defer mu.Unlock()
		if now := in.engine.Now(); now.Sub(read) > time.Second {
			var setting adminSetting
			// A database that fails for a moment leaves the hash as it was.
			if d, err := in.store.DocumentByLookup(context.Background(), giro.DocSetting, settingInstallation); err == nil && d != nil && json.Unmarshal(d.Data, &setting) == nil {
				want, read = setting.AdminHash, now
			}
		}
		return subtle.ConstantTimeCompare([]byte(hash(in.engine.Secret, "admin token", token)), []byte(want)) == 1
	}
}

// print shows the first start's credentials: one line of JSON, or text.
func (c *credentials) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(c)
	}
	fmt.Printf("giro made its first merchant, %s. These are shown once:\n\n", c.Merchant)
	fmt.Printf("  admin token           %s\n", c.AdminToken)
	for _, mode := range []string{"test", "live"} {
		k := c.Keys[mode]
		fmt.Printf("  %s secret key       %s\n  %s publishable key  %s\n  %s client id        %s\n  %s client secret    %s\n",
			mode, k.SecretKey, mode, k.PublishableKey, mode, k.ClientID, mode, k.ClientSecret)
	}
	fmt.Println()
	if c.DashboardURL != "" {
		fmt.Printf("The dashboard's first owner opens this link, which works once:\n\n  %s\n\n", c.DashboardURL)
	}
	return nil
}
