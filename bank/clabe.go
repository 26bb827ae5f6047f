package bank

import "strings"

// CLABE is a Mexican account number for SPEI.
type CLABE struct {
	Number  string // 18 digits
	Bank    string // three digits, as in the number
	Banxico string // the institution's number at Banco de México, five digits
	Name    string // of the bank
	Plaza   string // three digits; no complete list of them exists, so they are not checked
	Account string // eleven digits
}

// ParseCLABE reads 18 digits, blanks and dashes aside: weights 3,7,1, each product
// mod 10, mod 10 (ABM, Banco de México). The bank must be in the table, as zeros have
// a right check digit. With a bank that is not, the CLABE is returned beside an error
// of kind Unknown: the table can be older than the bank.
func ParseCLABE(s string) (CLABE, error) {
	n, err := digits("the CLABE", s, 18, 18)
	if err != nil {
		return CLABE{}, err
	}
	if n[17:] != clabeCheck(n[:17]) {
		return CLABE{}, checkDigit("the CLABE")
	}
	c := CLABE{Number: n, Bank: n[:3], Plaza: n[3:6], Account: n[6:17]}
	b, ok := mexicanBanks[c.Bank]
	if !ok {
		return c, unknown("the CLABE's bank is not in the list of Banco de México")
	}
	c.Banxico, c.Name = b.banxico, b.name
	return c, nil
}

func clabeCheck(base string) string { return digit((10 - weigh(base, 3, 7, 1)%10) % 10) }

type mexicanBank struct{ banxico, name string }

var mexicanBanks = func() map[string]mexicanBank {
	m := map[string]mexicanBank{}
	for _, row := range strings.Split(strings.TrimSpace(banxicoList), "\n") {
		code, name, _ := strings.Cut(row, " ")
		m[code[2:]] = mexicanBank{code, name}
	}
	return m
}()

// banxicoList is Banco de México's list of SPEI institutions (CEP, 2026), with some
// that left it: accounts outlive the names. The last three digits are the CLABE's.
const banxicoList = `
02001 Banxico
37006 Bancomext
37009 Banobras
37019 Banjército
37135 Nafin
37166 Banco del Bienestar
37168 Hipotecaria Federal
40002 Banamex
40012 BBVA México
40014 Santander
40021 HSBC
40030 BanBajío
40036 Inbursa
40042 Mifel
40044 Scotiabank
40058 Banregio
40059 Invex
40060 Bansí
40062 Afirme
40072 Banorte
40102 Accendo
40103 American Express
40106 Bank of America
40108 MUFG
40110 JP Morgan
40112 Monex
40113 Ve por Más
40124 Citi México
40126 Credit Suisse
40127 Azteca
40128 Kapital
40129 Barclays
40130 Compartamos
40131 Famsa
40132 Multiva
40133 Actinver
40136 Intercam
40137 BanCoppel
40138 Ualá
40140 Consubanco
40141 Volkswagen
40143 CIBanco
40145 Banco Base
40147 Bankaool
40148 Pagatodo
40150 Inmobiliario Mexicano
40151 Dondé
40152 Bancrea
40154 Covalto
40155 ICBC
40156 Sabadell
40157 Shinhan
40158 Mizuho
40159 Bank of China
40160 Banco S3
40167 Hey Banco
40170 Revolut
40638 Nu México
90600 Monexcb
90601 GBM
90602 Masari
90605 Value
90606 Estructuradores
90608 Vector
90613 Multiva Casa de Bolsa
90614 Accival
90616 Finamex
90617 Valmex
90620 Profuturo
90623 Skandia
90630 Intercam Casa de Bolsa
90631 CI Bolsa
90634 Fincomún
90636 HDI Seguros
90637 Order
90642 Reforma
90646 STP
90648 Evercore
90649 Oskndia
90652 Credicapital
90653 Kuspit
90655 Sofiexpress
90656 Unagra
90659 ASP Integra
90660 Altor
90661 Klar
90670 Libertad
90674 AXA
90677 Caja Popular Mexicana
90679 FND
90680 Cristóbal Colón
90683 Caja Telefonistas
90684 Transfer
90685 Fondo (FIRA)
90686 Invercap
90688 Crediclub
90689 Fomped
90699 Fondeadora
90703 Tesored
90706 Arcus
90710 NVIO
90714 PPBalance
90715 Cashi
90720 MexPago
90721 Albo
90722 Mercado Pago
90723 Cuenca
90725 Coopdesarrollo
90727 Transfer Directo
90728 Spin by OXXO
90729 Dep y Pag Dig
90730 Clip
90732 Peibo
90734 Finco Pay
90738 Fintoc
90901 CLS
90902 Indeval
90903 CoDi Valida`
