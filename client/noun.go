package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// objects are the routes that all nouns have: T is what they answer, N creates
// one.
type objects[T, N any] struct {
	c    *Client
	path string
}

// Create makes one.
func (r objects[T, N]) Create(ctx context.Context, n *N, o ...Option) (*T, error) {
	return send[T](ctx, r.c, Request{Method: http.MethodPost, Path: r.path, Body: n}, o)
}

// Retrieve reads one.
func (r objects[T, N]) Retrieve(ctx context.Context, id string) (*T, error) {
	return fetch[T](ctx, r.c, one(r.path, id), nil)
}

// List reads all, newest first.
func (r objects[T, N]) List(ctx context.Context) iter.Seq2[*T, error] {
	return list[T](ctx, r.c, r.path, url.Values{"limit": {"100"}})
}

// act does a verb of one; body nil: it takes none.
func (r objects[T, N]) act(ctx context.Context, id, verb string, body any, o []Option) (*T, error) {
	if body == nil {
		body = struct{}{}
	}
	return send[T](ctx, r.c, Request{Method: http.MethodPost, Path: one(r.path, id, verb), Body: body}, o)
}

// Documents are the routes of nouns that can also be changed and deleted: U
// changes one.
type Documents[T, N, U any] struct{ objects[T, N] }

// Update changes one.
func (d Documents[T, N, U]) Update(ctx context.Context, id string, u *U, o ...Option) (*T, error) {
	return send[T](ctx, d.c, Request{Method: http.MethodPut, Path: one(d.path, id), Body: u}, o)
}

// Delete deletes one; of a movement it hides the object and withdraws what was
// not captured or sent.
func (d Documents[T, N, U]) Delete(ctx context.Context, id string) error {
	_, err := d.c.Send(ctx, Request{Method: http.MethodDelete, Path: one(d.path, id)})
	return err
}
