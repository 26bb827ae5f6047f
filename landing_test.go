package giro_test

import (
	"context"
	"testing"
	"time"

	"giro"
	"giro/internal/storetest"
	"giro/store"
)

// slowDisk is a store whose disk takes each batch when it is told to. Beneath, the
// batch is committed, and has said so.
type slowDisk struct {
	giro.Store
	written, disk chan struct{}
}

func (s *slowDisk) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	err := s.Store.Update(ctx, keys, decide)
	s.written <- struct{}{}
	<-s.disk
	return err
}

// TestBatchesFollowBeforeTheDisk: while one is on its way there the next is decided
// and written, if it has enough commands; with fewer it waits. Nobody is answered
// before his own is on the disk.
func TestBatchesFollowBeforeTheDisk(t *testing.T) {
	t.Parallel()
	s := &slowDisk{Store: storetest.SQLite(t).Open(t, store.Options{}), written: make(chan struct{}), disk: make(chan struct{})}
	e := newEngine(t, s)
	e.Paused = func() bool { return true }
	e.Start()
	m := &giro.Merchant{ID: e.NewID(e.Now()), Number: 1}
	call := &giro.Call{Merchant: m}
	answers := make(chan error, 100)
	send := func(n int) {
		t.Helper()
		for range n {
			go func() {
				_, err := e.Fund(t.Context(), call, "BRL", 5)
				answers <- err
			}()
		}
	}
	queue := func(n int) {
		t.Helper()
		before := e.Waiting()
		send(n)
		for e.Waiting() < before+n {
			<-time.After(time.Millisecond)
		}
	}
	answered := func(n int) {
		t.Helper()
		for range n {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	}
	unanswered := func() {
		t.Helper()
		if len(answers) > 0 {
			t.Error("somebody was answered before his commit was on the disk")
		}
	}
	send(1)
	<-s.written
	queue(7)
	unanswered()
	send(1) // the eighth
	<-s.written
	unanswered()
	queue(2)
	s.disk <- struct{}{} // either of the two
	s.disk <- struct{}{}
	answered(9)
	<-s.written // the two, now that nothing is on its way
	s.disk <- struct{}{}
	answered(2)
	if batches, commands := e.BatchStats(); batches != 3 || commands != 11 {
		t.Errorf("%d commands in %d batches, not 11 in 3", commands, batches)
	}
	go func() { // what ending still commits
		for {
			select {
			case s.disk <- struct{}{}:
			case <-s.written:
			case <-t.Context().Done():
				return
			}
		}
	}()
	e.Stop()
}
