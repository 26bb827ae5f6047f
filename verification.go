package giro

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// Verification is the last time that the whole installation's ledger was
// recomputed, and what was found.
type Verification struct {
	Started  int64   `json:"started"`            // µs
	Finished int64   `json:"finished,omitempty"` // µs; 0: it still runs
	By       string  `json:"by,omitempty"`       // who asked for it
	Error    string  `json:"error,omitempty"`    // it could not be carried out
	Report   *Report `json:"report,omitempty"`

	Running bool `json:"-"`
}

// verifier lets one verification run at a time in this process.
type verifier struct {
	mu      sync.Mutex
	running *Verification
}

const settingVerification = "verification"

// faultsKept bounds the faults that a stored verification holds.
const faultsKept = 100

// VerifyLedger begins to recompute the ledger, unless that is being done just
// now, and returns what is known of the run. It reads one snapshot and holds
// nobody up. What it finds is stored.
func (e *Engine) VerifyLedger(by string) *Verification {
	e.verifying.mu.Lock()
	defer e.verifying.mu.Unlock()
	if e.verifying.running != nil {
		return e.verifying.running
	}
	v := &Verification{Started: Micros(e.Now()), By: by, Running: true}
	select {
	case <-e.stopped:
		return v
	default:
	}
	e.verifying.running = v
	e.inFlight.Add(1)
	go e.verify(*v)
	return v
}

func (e *Engine) verify(v Verification) {
	defer e.inFlight.Done()
	defer func() {
		e.verifying.mu.Lock()
		e.verifying.running = nil
		e.verifying.mu.Unlock()
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-e.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	report, err := e.Store.Verify(ctx)
	if ctx.Err() != nil {
		return
	}
	v.Finished, v.Report = Micros(e.Now()), report
	if err != nil {
		e.Logf("verify the ledger: %v", err)
		v.Error = "the ledger could not be read; the server's log says why"
	} else if len(report.Faults) > faultsKept {
		report.Faults = report.Faults[:faultsKept]
	}
	data, err := json.Marshal(&v)
	if err != nil {
		e.Logf("verify the ledger: %v", err)
		return
	}
	k := DocumentKey{Kind: DocSetting, Lookup: settingVerification}
	id := e.NewID(e.Now())
	_, err = e.do(ctx, &command{keys: Keys{Documents: []DocumentKey{k}}, decide: func(b *Batch) (any, error) {
		d := StoredDocument{Kind: DocSetting, ID: id, Lookup: settingVerification, Created: b.At, Data: data}
		if old := b.document(k); old != nil {
			d.ID, d.Version, d.Created = old.ID, old.Version, old.Created
		}
		d.Updated = b.At
		b.write(&d)
		return nil, nil
	}})
	if err != nil && !errors.Is(err, context.Canceled) {
		e.Logf("keep the verification: %v", err)
	}
}

// LastVerification returns the last finished verification, or nil, and whether
// another one runs in this process.
func (e *Engine) LastVerification(ctx context.Context) (*Verification, bool, error) {
	e.verifying.mu.Lock()
	running := e.verifying.running != nil
	e.verifying.mu.Unlock()
	d, err := e.Store.DocumentByLookup(ctx, DocSetting, settingVerification)
	if d == nil || err != nil {
		return nil, running, err
	}
	v := &Verification{}
	if err := json.Unmarshal(d.Data, v); err != nil {
		return nil, running, err
	}
	return v, running, nil
}
