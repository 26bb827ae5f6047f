package giro

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// DecodeDetail reads a stored detail into d, which is empty: what json.Unmarshal
// makes of it. What AppendJSON writes of nearly every movement is read by hand:
// each is read three times between its creation and its end, which by reflection
// took a twelfth of all the time that takes.
func DecodeDetail(data []byte, d *Detail) error {
	s := scan{data: data}
	s.detail(d)
	if !s.failed && s.at == len(s.data) {
		return nil
	}
	*d = Detail{}
	return json.Unmarshal(data, d)
}

func (s *scan) detail(d *Detail) {
	s.each(func(name []byte) {
		switch string(name) {
		case "rail":
			d.Rail = s.str()
		case "provider":
			d.Provider = s.str()
		case "method":
			d.Method = s.str()
		case "account":
			d.Account = s.uuid()
		case "destination":
			d.Destination = s.uuid()
		case "source":
			d.Source = s.uuid()
		case "retry_of":
			d.RetryOf = s.uuid()
		case "two_phase":
			d.TwoPhase = s.bool()
		case "from_pending":
			d.FromPending = s.number()
		case "unsettled":
			d.Unsettled = s.number()
		case "refunds_open":
			d.RefundsOpen = s.number()
		case "authorised":
			d.Authorised = s.number()
		case "unfunded":
			d.Unfunded = s.bool()
		case "manual_capture":
			d.ManualCapture = s.bool()
		case "card":
			s.card(once(s, &d.Card))
		case "mobile":
			s.mobile(once(s, &d.Mobile))
		case "bank":
			s.bank(once(s, &d.Bank))
		case "recipient":
			s.party(once(s, &d.Recipient))
		case "expires_at":
			d.ExpiresAt = s.number()
		case "settle_at":
			d.SettleAt = s.number()
		case "failure_code":
			d.FailureCode = s.str()
		case "failure_message":
			d.FailureMessage = s.str()
		case "reason":
			d.Reason = s.str()
		case "description":
			d.Description = s.str()
		case "statement_descriptor":
			d.Descriptor = s.str()
		case "receipt_email":
			d.ReceiptEmail = s.str()
		case "metadata":
			s.texts(&d.Metadata)
		case "simulate":
			d.Simulate = s.str()
		case "fingerprint":
			d.Fingerprint = s.str()
		case "publishable":
			d.Publishable = s.bool()
		case "key":
			d.KeyID = s.uuid()
		case "request_id":
			d.RequestID = s.str()
		case "steps":
			d.Steps = int(s.number())
		case "step":
			s.instruction(once(s, &d.Step))
		case "attempts":
			several(s, &d.Attempts, (*scan).attempt)
		case "doubt_at":
			d.DoubtAt = s.number()
		case "voids":
			several(s, &d.Voids, (*scan).instruction)
		case "provider_reference":
			d.ProviderReference = s.str()
		case "end_to_end_id":
			d.EndToEnd = s.str()
		case "quote":
			d.Quote = s.uuid()
		default: // what few have, and what is not known
			s.failed = true
		}
	})
}

func (s *scan) card(c *Card) {
	s.each(func(name []byte) {
		switch string(name) {
		case "token":
			c.Token = s.str()
		case "brand":
			c.Brand = s.str()
		case "last4":
			c.Last4 = s.str()
		default:
			s.failed = true
		}
	})
}

func (s *scan) mobile(m *Mobile) {
	s.each(func(name []byte) {
		if string(name) != "phone" {
			s.failed = true
			return
		}
		m.Phone = s.str()
	})
}

func (s *scan) bank(v *Bank) {
	s.each(func(name []byte) {
		switch string(name) {
		case "method":
			v.Method = s.str()
		case "key":
			v.Key = s.str()
		case "key_type":
			v.KeyType = s.str()
		case "account":
			v.Account = s.str()
		case "iban":
			v.IBAN = s.str()
		case "bic":
			v.BIC = s.str()
		case "routing_number":
			v.RoutingNumber = s.str()
		case "country":
			v.Country = s.str()
		case "bank_code":
			v.BankCode = s.str()
		case "branch":
			v.Branch = s.str()
		case "account_number":
			v.AccountNumber = s.str()
		case "account_type":
			v.AccountType = s.str()
		case "warning":
			v.Warning = s.str()
		default:
			s.failed = true
		}
	})
}

func (s *scan) party(p *Party) {
	s.each(func(name []byte) {
		switch string(name) {
		case "name":
			p.Name = s.str()
		case "email":
			p.Email = s.str()
		case "phone":
			p.Phone = s.str()
		case "document":
			s.document(once(s, &p.Document))
		default:
			s.failed = true
		}
	})
}

func (s *scan) document(d *Document) {
	s.each(func(name []byte) {
		switch string(name) {
		case "type":
			d.Type = s.str()
		case "number":
			d.Number = s.str()
		case "country":
			d.Country = s.str()
		default:
			s.failed = true
		}
	})
}

func (s *scan) instruction(in *Instruction) {
	s.each(func(name []byte) {
		switch string(name) {
		case "id":
			in.ID = s.str()
		case "op":
			in.Op = Op(s.str())
		case "amount":
			in.Amount = s.number()
		case "at":
			in.At = s.number()
		case "lookups":
			in.Lookups = int(s.number())
		default:
			s.failed = true
		}
	})
}

func (s *scan) attempt(a *Attempt) {
	s.each(func(name []byte) {
		switch string(name) {
		case "at":
			a.At = s.number()
		case "instruction":
			a.Instruction = s.str()
		case "act":
			a.Act = s.str()
		case "result":
			a.Result = s.str()
		case "code":
			a.Code = s.str()
		case "op":
			a.Op = Op(s.str())
		case "amount":
			a.Amount = s.number()
		default:
			s.failed = true
		}
	})
}

// each calls read at each member's value, which read consumes.
func (s *scan) each(read func(name []byte)) {
	s.want('{')
	for more := !s.next('}'); more && !s.failed; {
		name := s.text()
		s.want(':')
		read(name)
		if more = !s.next('}'); more {
			s.want(',')
		}
	}
}

// once makes the value of a member that stands there once: encoding/json reads a
// second one over the first.
func once[T any](s *scan, into **T) *T {
	if *into != nil {
		s.failed = true
	}
	*into = new(T)
	return *into
}

// several reads a list that stands there once.
func several[T any](s *scan, into *[]T, read func(*scan, *T)) {
	if *into != nil {
		s.failed = true
	}
	list := []T{}
	s.want('[')
	for more := !s.next(']'); more && !s.failed; {
		list = append(list, *new(T))
		read(s, &list[len(list)-1])
		if more = !s.next(']'); more {
			s.want(',')
		}
	}
	*into = list
}

// texts reads a map of texts.
func (s *scan) texts(into *map[string]string) {
	if *into == nil {
		*into = map[string]string{}
	}
	s.want('{')
	for more := !s.next('}'); more && !s.failed; {
		name := s.str()
		s.want(':')
		(*into)[name] = s.str()
		if more = !s.next('}'); more {
			s.want(',')
		}
	}
}

// str reads a text without escapes. Bytes that are no text are encoding/json's to
// replace.
func (s *scan) str() string {
	v := s.text()
	if !utf8.Valid(v) {
		s.failed = true
	}
	return string(v)
}

func (s *scan) bool() bool {
	switch string(s.literal()) {
	case "true":
		return true
	case "false":
	default:
		s.failed = true
	}
	return false
}

// number reads an integer of at most 18 digits.
func (s *scan) number() int64 {
	from := s.at
	s.value(numberForm)
	if s.failed {
		return 0
	}
	n, err := strconv.ParseInt(string(s.data[from:s.at]), 10, 64)
	if err != nil {
		s.failed = true
	}
	return n
}

var numberForm = &form{is: isNumber}
