package bank

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"giro/money"
)

// BRCode is what a PIX QR code says (BCB, Manual de Padrões para Iniciação do Pix;
// EMV QRCPS merchant-presented mode). Exactly one of Key and URL is set; a code that
// only offers a Pix Automático has Recurrence alone.
type BRCode struct {
	Key         string // the receiver's PIX key: a static code
	URL         string // of the charge, without scheme: a dynamic code
	Description string // shown to the payer; with Key only
	Withdrawal  string // ISPB of the agent that pays out cash (Pix Saque); with Key only
	Once        bool   // to be paid once
	Amount      int64  // centavos; 0: the payer chooses, or the URL says
	MCC         string // merchant category, four digits; empty for none
	Name        string // the receiver's, at most 25 characters
	City        string // at most 15
	CEP         string // postal code, eight digits, or empty
	TxID        string // 1 to 25 letters and digits; empty for none, always so with URL
	Recurrence  string // URL of a recurrence (Pix Automático), without scheme
}

const (
	pixGUI       = "br.gov.bcb.pix"
	maxBRCode    = 512 // what a QR code of a usual size holds; the standard's examples have under 250
	maxBRCAmount = 999_999_999_999
)

var (
	txidForm = regexp.MustCompile(`^[A-Za-z0-9]{1,25}$`)
	urlForm  = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]{2,}(/[!-~]*)?$`)
)

// Encode writes the code as the standard has it, or says which part does not fit.
// Accents are taken off name, city and description, so that characters are bytes.
func (c BRCode) Encode() (string, error) {
	name, city, description := ASCII(c.Name, 100), ASCII(c.City, 100), ASCII(c.Description, 100)
	switch {
	case (c.Key == "") == (c.URL == ""):
		return "", format("a BR Code has either a key or a URL")
	case c.URL != "" && (c.Description != "" || c.TxID != "" || c.Withdrawal != ""):
		return "", format("a BR Code with a URL has its description and its id there")
	case c.URL != "" && !urlForm.MatchString(c.URL), c.Recurrence != "" && !urlForm.MatchString(c.Recurrence):
		return "", format("the URL of a BR Code has no scheme and is ASCII")
	case name == "" || len(name) > 25:
		return "", length("the name in a BR Code has 1 to 25 characters")
	case city == "" || len(city) > 15:
		return "", length("the city in a BR Code has 1 to 15 characters")
	case c.Amount < 0 || c.Amount > maxBRCAmount:
		return "", format("the amount does not fit into a BR Code")
	case c.MCC != "" && (len(c.MCC) != 4 || !allDigits(c.MCC)):
		return "", format("a merchant category is four digits")
	case c.CEP != "" && (len(c.CEP) != 8 || !allDigits(c.CEP)):
		return "", format("a CEP is eight digits")
	case c.TxID != "" && !txidForm.MatchString(c.TxID):
		return "", format("a txid is 1 to 25 letters and digits")
	case c.Withdrawal != "" && (len(c.Withdrawal) != 8 || !allAlnum(c.Withdrawal)):
		return "", format("an ISPB has eight characters")
	}
	account := tlv("00", pixGUI)
	if c.Key != "" {
		key, err := ParsePIXKey(c.Key)
		if err != nil {
			return "", err
		}
		account += tlv("01", key.Value) + tlv("02", description) + tlv("03", c.Withdrawal)
	} else {
		account += tlv("25", c.URL)
	}
	recurrence := ""
	if c.Recurrence != "" {
		recurrence = tlv("00", pixGUI) + tlv("25", c.Recurrence)
	}
	if len(account) > 99 || len(recurrence) > 99 {
		return "", length("key and description, or the URL, are too long for a BR Code")
	}
	once, amount, mcc, txid := "", "", c.MCC, c.TxID
	if c.Once {
		once = "12"
	}
	if c.Amount > 0 {
		amount = money.Format(c.Amount, "BRL")
	}
	if mcc == "" {
		mcc = "0000"
	}
	if txid == "" {
		txid = "***"
	}
	s := tlv("00", "01") + tlv("01", once) + tlv("26", account) + tlv("52", mcc) + tlv("53", "986") + tlv("54", amount) +
		tlv("58", "BR") + tlv("59", name) + tlv("60", city) + tlv("61", c.CEP) + tlv("62", tlv("05", txid)) + tlv("80", recurrence) + "6304"
	return s + fmt.Sprintf("%04X", crc16(s)), nil
}

// tlv is one field, or nothing for an empty value.
func tlv(id, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("%s%02d%s", id, len(value), value)
}

// DecodeBRCode reads a code made by anyone: keys, ids and names are taken as they
// are, fields that giro does not know are skipped, and empty ones count as absent. The
// checksum must be right and the structure whole; a tag given twice, two PIX accounts,
// or key and URL together are refused, as two readers could pay two receivers.
func DecodeBRCode(s string) (BRCode, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxBRCode {
		return BRCode{}, length("the BR Code is too long")
	}
	if len(s) < 12 || s[len(s)-8:len(s)-4] != "6304" {
		return BRCode{}, format("the BR Code does not end in its checksum")
	}
	sum, err := strconv.ParseUint(s[len(s)-4:], 16, 16)
	if err != nil {
		return BRCode{}, format("the BR Code does not end in its checksum")
	}
	if uint16(sum) != crc16(s[:len(s)-4]) {
		return BRCode{}, checkDigit("the BR Code")
	}
	fields, err := untlv(s)
	if err != nil {
		return BRCode{}, err
	}
	c := BRCode{Once: fields["01"] == "12", Name: fields["59"], City: fields["60"], CEP: fields["61"]}
	switch {
	case fields["00"] != "01":
		return BRCode{}, format("the BR Code has an unknown version")
	case fields["53"] != "" && fields["53"] != "986":
		return BRCode{}, unknown("the BR Code is not in BRL")
	case fields["58"] != "" && fields["58"] != "BR":
		return BRCode{}, unknown("the BR Code is not of Brazil")
	}
	if mcc := fields["52"]; mcc != "0000" {
		c.MCC = mcc
	}
	if amount := fields["54"]; amount != "" {
		c.Amount, err = money.Parse(amount, "BRL")
		if errors.Is(err, money.ErrTooSmall) && amount[0] != '-' {
			c.Amount, err = 0, nil
		}
		if err != nil || c.Amount > maxBRCAmount {
			return BRCode{}, format("the BR Code's amount is malformed")
		}
	}
	if err := c.readAccounts(fields); err != nil {
		return BRCode{}, err
	}
	if extra := fields["62"]; extra != "" {
		sub, err := untlv(extra)
		if err != nil {
			return BRCode{}, err
		}
		if txid := sub["05"]; txid != "***" {
			c.TxID = txid
		}
	}
	return c, nil
}

func (c *BRCode) readAccounts(fields map[string]string) error {
	found := false
	for id := 26; id <= 51; id++ {
		sub, ok := pixTemplate(fields[strconv.Itoa(id)])
		if !ok {
			continue
		}
		if found {
			return format("the BR Code names two PIX accounts")
		}
		found = true
		c.Key, c.URL, c.Description, c.Withdrawal = sub["01"], sub["25"], sub["02"], sub["03"]
	}
	for id := 80; id <= 99; id++ {
		if sub, ok := pixTemplate(fields[strconv.Itoa(id)]); ok && strings.Contains(sub["25"], "/rec/") {
			c.Recurrence = sub["25"]
		}
	}
	switch {
	case !found:
		return format("the BR Code is not one of PIX")
	case c.Key != "" && c.URL != "":
		return format("the BR Code has a key and a URL")
	case c.Key == "" && c.URL == "" && c.Recurrence == "":
		return format("the BR Code has neither a key nor a URL")
	}
	return nil
}

// pixTemplate reads a template and tells whether it is PIX's. The name is in either
// case: the official samples use both.
func pixTemplate(s string) (map[string]string, bool) {
	if s == "" {
		return nil, false
	}
	sub, err := untlv(s)
	return sub, err == nil && strings.EqualFold(sub["00"], pixGUI)
}

// untlv cuts a text into its fields. Lengths count characters; where that does not
// come out, bytes, as many issuers do.
func untlv(s string) (map[string]string, error) {
	fields, err := cut(s, true)
	if err != nil && !isASCII(s) {
		fields, err = cut(s, false)
	}
	return fields, err
}

func cut(s string, characters bool) (map[string]string, error) {
	fields := map[string]string{}
	for s != "" {
		if len(s) < 4 || !allDigits(s[:4]) {
			return nil, format("the BR Code is not made of fields")
		}
		id, n := s[:2], int(s[2]-'0')*10+int(s[3]-'0')
		s = s[4:]
		end := n
		if characters {
			end = 0
			for ; n > 0 && end < len(s); n-- {
				_, size := utf8.DecodeRuneInString(s[end:])
				end += size
			}
			if n > 0 {
				end = len(s) + 1
			}
		}
		if end > len(s) {
			return nil, format("a field of the BR Code is cut off")
		}
		if _, twice := fields[id]; twice {
			return nil, format("the BR Code has a field twice")
		}
		fields[id] = s[:end]
		s = s[end:]
	}
	return fields, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// crc16 is CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, nothing reflected.
func crc16(s string) uint16 {
	crc := uint16(0xffff)
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
