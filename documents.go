package giro

import "context"

// DocumentResult is what the creation of a document returns.
type DocumentResult struct {
	Document *StoredDocument
	Existing bool // the lookup was used before with the same data: nothing was made
}

// CreateDocument stores a new document under its id and, where it has one, its
// lookup. A lookup that another document holds is refused with taken, unless
// same finds the same data in that one, which is the result then. A source's
// customer (Parent) must be of the same book.
func (e *Engine) CreateDocument(ctx context.Context, call *Call, d *StoredDocument, same func(old *StoredDocument) bool, taken *Error) (*DocumentResult, error) {
	keys := Keys{Books: []Book{d.Book}}
	lookup, customer := DocumentKey{Kind: d.Kind, Lookup: d.Lookup}, DocumentKey{Kind: DocCustomer, ID: d.Parent}
	if d.Lookup != "" {
		keys.Documents = append(keys.Documents, lookup)
	}
	if !d.Parent.IsZero() {
		keys.Documents = append(keys.Documents, customer)
	}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		if !d.Parent.IsZero() {
			if owner := b.document(customer); owner == nil || owner.Book != d.Book {
				return nil, Refuse(CodeCustomerUnknown, "/customer", "there is no such customer")
			}
		}
		if d.Lookup != "" {
			if old := b.document(lookup); old != nil {
				if !same(old) {
					return nil, taken
				}
				return &DocumentResult{Document: old, Existing: true}, nil
			}
		}
		w := *d
		w.Created = b.now(d.Book)
		w.Updated = w.Created
		b.head(d.Book, call.Merchant.ID)
		b.write(&w)
		made := w
		return &DocumentResult{Document: &made}, nil
	}})
	r, _ := v.(*DocumentResult)
	return r, err
}

// DeleteDocument deletes a document of the caller's book and, of a customer,
// its sources. Movements that name them keep what they were made with.
func (e *Engine) DeleteDocument(ctx context.Context, call *Call, kind DocumentKind, id UUID) error {
	if err := e.deleteDocument(ctx, call, kind, id); err != nil || kind != DocCustomer {
		return err
	}
	// A source may have been added between the look and the decision. Without its
	// customer no other can be.
	ctx = context.WithoutCancel(ctx)
	left, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSource, Book: call.Book(), Parent: id})
	for i := 0; err == nil && i < len(left); i++ {
		if err = e.deleteDocument(ctx, call, DocSource, left[i].ID); Is(err, CodeNotFound) {
			err = nil
		}
	}
	return err
}

func (e *Engine) deleteDocument(ctx context.Context, call *Call, kind DocumentKind, id UUID) error {
	book := call.Book()
	gone := []DocumentKey{{Kind: kind, ID: id}}
	if kind == DocCustomer {
		sources, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSource, Book: book, Parent: id})
		if err != nil {
			return err
		}
		for _, s := range sources {
			gone = append(gone, DocumentKey{Kind: DocSource, ID: s.ID})
		}
	}
	_, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}, Documents: gone}, decide: func(b *Batch) (any, error) {
		if d := b.document(gone[0]); d == nil || d.Book != book {
			return nil, Refuse(CodeNotFound, "", "there is no such "+string(kind))
		}
		b.head(book, call.Merchant.ID)
		for _, k := range gone {
			if d := b.document(k); d != nil {
				w := *d
				w.Gone = true
				b.write(&w)
			}
		}
		return nil, nil
	}})
	return err
}
