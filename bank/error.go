// Package bank knows the formats of the payment world: documents of people and
// companies, PIX keys and codes, boletos, account numbers, bank codes, phones, card
// numbers and banking days. Each function names the source of its rule.
//
// The package is pure: no I/O, no clock, no state. Digits are ASCII digits; others
// that Unicode knows are refused everywhere but in FindCardNumber, which looks for
// what someone hid. A right check digit proves that a number was copied correctly,
// never that it exists.
package bank

// Kind says in which way a number is wrong.
type Kind uint8

const (
	Format     Kind = iota + 1 // characters or structure that the format does not have
	Length                     // too short or too long
	CheckDigit                 // well-formed, and miscopied
	Unknown                    // a country, type, bank or currency that is not in the tables
)

// Error is what every parser of this package fails with. Message is fit to show to
// the caller and never holds the refused value.
type Error struct {
	Kind    Kind
	Field   string // for ParseAccount: the field of Account in snake case ("bank_code"); else empty
	Message string
}

func (e *Error) Error() string { return e.Message }

func format(message string) error { return &Error{Kind: Format, Message: message} }
func length(message string) error { return &Error{Kind: Length, Message: message} }
func checkDigit(what string) error {
	return &Error{Kind: CheckDigit, Message: what + " is mistyped: its check digit does not match"}
}
func unknown(message string) error { return &Error{Kind: Unknown, Message: message} }
func at(field string, err error) error {
	if e, ok := err.(*Error); ok {
		return &Error{Kind: e.Kind, Field: field, Message: e.Message}
	}
	return err
}
