package bank

import (
	"regexp"
	"strings"
	"time"
)

// PIXKeyType is one of the five kinds of keys of the DICT, the Banco Central do
// Brasil's directory.
type PIXKeyType string

// The kinds of PIX keys.
const (
	PIXCPF   PIXKeyType = "cpf"
	PIXCNPJ  PIXKeyType = "cnpj"
	PIXPhone PIXKeyType = "phone"
	PIXEmail PIXKeyType = "email"
	PIXEVP   PIXKeyType = "evp" // a random key
)

// PIXKey is a key in the form in which the DICT stores it.
type PIXKey struct {
	Type  PIXKeyType
	Value string
}

var (
	// The DICT's own patterns (BCB, API do DICT, "Key"; API Pix 2.9.0 for the CNPJ).
	pixEmail = regexp.MustCompile("^[a-z0-9.!#$&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$")
	pixPhone = regexp.MustCompile(`^\+[1-9][0-9]{2,14}$`)
	pixEVP   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// ParsePIXKey tells which kind of key s is and returns it in the DICT's form: CPF
// and CNPJ bare and checked, e-mail and random key in lower case, phone as +5511….
// Punctuation of documents and phones is taken off. Eleven digits are a CPF, never a
// phone: a phone has its "+". Area codes are not looked up, nor is a version of the
// UUID asked for: the Banco Central's own examples have neither.
func ParsePIXKey(s string) (PIXKey, error) {
	s = strings.TrimSpace(s)
	if len(s) > longest {
		return PIXKey{}, length("a PIX key has at most 77 characters")
	}
	switch {
	case strings.Contains(s, "@"):
		email := lowerASCII(s)
		if len(email) > 77 {
			return PIXKey{}, length("an e-mail address as PIX key has at most 77 characters")
		}
		if !pixEmail.MatchString(email) {
			return PIXKey{}, format("the PIX key is not an e-mail address")
		}
		return PIXKey{PIXEmail, email}, nil
	case strings.HasPrefix(s, "+"):
		n, err := dial(s)
		if err != nil {
			return PIXKey{}, err
		}
		if !pixPhone.MatchString(n) {
			return PIXKey{}, length("a phone as PIX key has 3 to 15 digits behind the +")
		}
		return PIXKey{PIXPhone, n}, nil
	case len(s) == 36 && strings.Count(s, "-") == 4:
		evp := lowerASCII(s)
		if !pixEVP.MatchString(evp) {
			return PIXKey{}, format("the PIX key is not a random key")
		}
		return PIXKey{PIXEVP, evp}, nil
	}
	n, err := compact("the PIX key", s)
	if err != nil {
		return PIXKey{}, err
	}
	switch len(n) {
	case 11:
		n, err = ParseCPF(n)
		return PIXKey{PIXCPF, n}, err
	case 14:
		n, err = ParseCNPJ(n)
		return PIXKey{PIXCNPJ, n}, err
	}
	return PIXKey{}, format("a PIX key is a CPF, a CNPJ, a phone beginning with +, an e-mail address or a random key")
}

// lowerASCII leaves what is not ASCII as it is: strings.ToLower turns the Kelvin
// sign into a k, and so one key into another.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// EndToEndID is the id of one PIX payment, or of its return.
type EndToEndID struct {
	Return   bool      // D…: a devolução; else E…: a payment
	ISPB     string    // eight characters, digits or letters: the institution that made the id
	At       time.Time // UTC, to the minute
	Sequence string    // eleven letters or digits, told apart by case
}

// String writes the 32 characters of the id: E or D, ISPB, yyyyMMddHHmm in UTC,
// sequence (BCB, API Pix 2.9.0). It fails where a part does not fit.
func (id EndToEndID) String() string {
	letter := "E"
	if id.Return {
		letter = "D"
	}
	return letter + id.ISPB + id.At.UTC().Format("200601021504") + id.Sequence
}

// NewEndToEndID makes the id of a payment. sequence is eleven letters or digits that
// must not repeat for one institution and minute.
func NewEndToEndID(ispb string, at time.Time, sequence string) (string, error) {
	s := EndToEndID{ISPB: ispb, At: at, Sequence: sequence}.String()
	if _, err := ParseEndToEndID(s); err != nil {
		return "", err
	}
	return s, nil
}

// ParseEndToEndID reads an id of a payment or a return. Case matters.
func ParseEndToEndID(s string) (EndToEndID, error) {
	if len(s) != 32 {
		return EndToEndID{}, length("an end-to-end id has 32 characters")
	}
	if s[0] != 'E' && s[0] != 'D' || !allAlnum(s) || s[1:9] != strings.ToUpper(s[1:9]) {
		return EndToEndID{}, format("the end-to-end id is malformed")
	}
	at, err := time.Parse("200601021504", s[9:21])
	if err != nil {
		return EndToEndID{}, format("the end-to-end id holds no valid time")
	}
	return EndToEndID{Return: s[0] == 'D', ISPB: s[1:9], At: at, Sequence: s[21:]}, nil
}
