package api_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"giro"
	"giro/api"
	"giro/internal/pgtest"
	"giro/internal/webscript"
	"giro/rail"
	"giro/store"
)

// running is a server on a real engine and store, with one merchant.
func running(t *testing.T, s giro.Store) *webscript.Runner {
	t.Helper()
	engine := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}}
	engine.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: engine}, "manual": rail.Manual{}}
	engine.Start()
	t.Cleanup(func() {
		engine.Stop()
		s.Close()
	})
	merchant, err := engine.CreateMerchant(t.Context(), &giro.Call{Merchant: &giro.Merchant{}, Admin: true}, giro.Merchant{Name: "First"})
	if err != nil {
		t.Fatal(err)
	}
	test, err := engine.CreateKeySet(t.Context(), merchant, false)
	if err != nil {
		t.Fatal(err)
	}
	live, err := engine.CreateKeySet(t.Context(), merchant, true)
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(api.Config{
		Engine: engine, Now: time.Now, NewID: engine.NewID, Secret: engine.Secret[:],
		Admin: func(token string) bool { return token == "adm_of_this_test" },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := webscript.Handler(server)
	r.Vars = map[string]string{"secret_key": test.SecretKey, "publishable_key": test.PublishableKey, "live_key": live.SecretKey, "admin_token": "adm_of_this_test"}
	return r
}

// TestScripts runs every script of testdata/v1 on both databases.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/v1/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for database, open := range map[string]func(t *testing.T) (giro.Store, error){
		"sqlite": func(t *testing.T) (giro.Store, error) { return store.OpenSQLite(t.TempDir(), store.Options{}) },
		"postgres": func(t *testing.T) (giro.Store, error) {
			return store.OpenPostgres(t.Context(), pgtest.Open(t), store.Options{})
		},
	} {
		for _, file := range files {
			t.Run(database+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				script, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s, err := open(t)
				if err != nil {
					t.Fatal(err)
				}
				if err := running(t, s).Run(file, string(script)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
