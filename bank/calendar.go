package bank

import (
	"slices"
	"strings"
	"time"
)

// Holiday is a day on which a calendar's banks do not settle.
type Holiday struct {
	Day  time.Time // midnight UTC
	Name string
}

// Calendar says which days are banking days. Saturdays and Sundays never are. The
// zero Calendar has no holidays; those of countries whose holidays are decreed from
// year to year (AR, CL) are made from it by With.
type Calendar struct {
	rule  func(year int) []Holiday
	extra []Holiday
}

// CalendarOf is the calendar of "BR", "CO", "MX", "US" (the Federal Reserve) or
// "TARGET" (the euro), in either case; others fail with Unknown. The days are computed
// from the laws in force in 2026.
func CalendarOf(code string) (Calendar, error) {
	if len(code) <= 6 {
		if rule, ok := calendars[strings.ToUpper(code)]; ok {
			return Calendar{rule: rule}, nil
		}
	}
	return Calendar{}, unknown("there is no calendar of this country")
}

// With is c and more holidays, decreed or local. c itself stays as it was.
func (c Calendar) With(more ...Holiday) Calendar {
	c.extra = slices.Clone(c.extra)
	for _, h := range more {
		y, m, d := h.Day.Date()
		c.extra = append(c.extra, Holiday{date(y, m, d), h.Name})
	}
	return c
}

// Holidays lists the holidays of a year in order; two can fall on one day.
func (c Calendar) Holidays(year int) []Holiday {
	var days []Holiday
	if c.rule != nil {
		days = c.rule(year)
	}
	for _, h := range c.extra {
		if h.Day.Year() == year {
			days = append(days, h)
		}
	}
	slices.SortStableFunc(days, func(a, b Holiday) int { return a.Day.Compare(b.Day) })
	return days
}

// Open reports whether banks settle on t's day; t's own zone says which day that is.
func (c Calendar) Open(t time.Time) bool {
	if w := t.Weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	y, m, d := t.Date()
	day := date(y, m, d)
	return !slices.ContainsFunc(c.Holidays(y), func(h Holiday) bool { return h.Day.Equal(day) })
}

// BusinessDay is the n-th banking day after t's day, or before it for n < 0; for 0 it
// is t's day if that is one, else the next. The answer is midnight UTC of that day. n
// beyond ±2500 (ten years) counts as that.
func (c Calendar) BusinessDay(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	day := date(y, m, d)
	n = max(-2500, min(n, 2500))
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	if n == 0 {
		for !c.Open(day) {
			day = day.AddDate(0, 0, 1)
		}
		return day
	}
	for n > 0 {
		if day = day.AddDate(0, 0, step); c.Open(day) {
			n--
		}
	}
	return day
}

var calendars = map[string]func(int) []Holiday{"BR": holidaysBR, "CO": holidaysCO, "MX": holidaysMX, "US": holidaysUS, "TARGET": holidaysTARGET}

// holidaysBR: Lei 662/1949 and those after it, Lei 14.759/2023 (20 November, since
// 2024), and Carnival and Corpus Christi, on which banks close (Resolução CMN
// 4.880/2020). 31 December is a banking day without counter service.
func holidaysBR(year int) []Holiday {
	e := easter(year)
	days := []Holiday{
		{date(year, 1, 1), "Confraternização Universal"},
		{e.AddDate(0, 0, -48), "Carnaval"},
		{e.AddDate(0, 0, -47), "Carnaval"},
		{e.AddDate(0, 0, -2), "Sexta-feira Santa"},
		{date(year, 4, 21), "Tiradentes"},
		{date(year, 5, 1), "Dia do Trabalho"},
		{e.AddDate(0, 0, 60), "Corpus Christi"},
		{date(year, 9, 7), "Independência do Brasil"},
		{date(year, 10, 12), "Nossa Senhora Aparecida"},
		{date(year, 11, 2), "Finados"},
		{date(year, 11, 15), "Proclamação da República"},
		{date(year, 12, 25), "Natal"},
	}
	if year >= 2024 {
		days = append(days, Holiday{date(year, 11, 20), "Dia da Consciência Negra"})
	}
	return days
}

// holidaysCO: Ley 51 de 1983 ("Ley Emiliani"): most move to the next Monday.
func holidaysCO(year int) []Holiday {
	e := easter(year)
	monday := func(t time.Time) time.Time { return t.AddDate(0, 0, (8-int(t.Weekday()))%7) }
	return []Holiday{
		{date(year, 1, 1), "Año Nuevo"},
		{monday(date(year, 1, 6)), "Reyes Magos"},
		{monday(date(year, 3, 19)), "San José"},
		{e.AddDate(0, 0, -3), "Jueves Santo"},
		{e.AddDate(0, 0, -2), "Viernes Santo"},
		{date(year, 5, 1), "Día del Trabajo"},
		{e.AddDate(0, 0, 43), "Ascensión del Señor"},
		{e.AddDate(0, 0, 64), "Corpus Christi"},
		{e.AddDate(0, 0, 71), "Sagrado Corazón"},
		{monday(date(year, 6, 29)), "San Pedro y San Pablo"},
		{date(year, 7, 20), "Independencia"},
		{date(year, 8, 7), "Batalla de Boyacá"},
		{monday(date(year, 8, 15)), "Asunción de la Virgen"},
		{monday(date(year, 10, 12)), "Día de la Diversidad Étnica y Cultural"},
		{monday(date(year, 11, 1)), "Todos los Santos"},
		{monday(date(year, 11, 11)), "Independencia de Cartagena"},
		{date(year, 12, 8), "Inmaculada Concepción"},
		{date(year, 12, 25), "Navidad"},
	}
}

// holidaysMX: the days on which the CNBV lets banks close (its yearly general
// provisions), and the inauguration of a president every sixth 1 October.
func holidaysMX(year int) []Holiday {
	e := easter(year)
	days := []Holiday{
		{date(year, 1, 1), "Año Nuevo"},
		{nth(year, 2, time.Monday, 1), "Día de la Constitución"},
		{nth(year, 3, time.Monday, 3), "Natalicio de Benito Juárez"},
		{e.AddDate(0, 0, -3), "Jueves Santo"},
		{e.AddDate(0, 0, -2), "Viernes Santo"},
		{date(year, 5, 1), "Día del Trabajo"},
		{date(year, 9, 16), "Independencia"},
		{date(year, 11, 2), "Día de los Muertos"},
		{nth(year, 11, time.Monday, 3), "Revolución Mexicana"},
		{date(year, 12, 12), "Día del Empleado Bancario"},
		{date(year, 12, 25), "Navidad"},
	}
	if year >= 2024 && (year-2024)%6 == 0 {
		days = append(days, Holiday{date(year, 10, 1), "Transmisión del Poder Ejecutivo"})
	}
	return days
}

// holidaysUS: the Federal Reserve Banks' holidays. One on a Sunday is kept on Monday;
// one on a Saturday is not moved.
func holidaysUS(year int) []Holiday {
	sunday := func(m time.Month, d int) time.Time {
		t := date(year, m, d)
		if t.Weekday() == time.Sunday {
			t = t.AddDate(0, 0, 1)
		}
		return t
	}
	days := []Holiday{
		{sunday(1, 1), "New Year's Day"},
		{nth(year, 1, time.Monday, 3), "Martin Luther King Jr. Day"},
		{nth(year, 2, time.Monday, 3), "Presidents' Day"},
		{nth(year, 5, time.Monday, -1), "Memorial Day"},
		{sunday(7, 4), "Independence Day"},
		{nth(year, 9, time.Monday, 1), "Labor Day"},
		{nth(year, 10, time.Monday, 2), "Columbus Day"},
		{sunday(11, 11), "Veterans Day"},
		{nth(year, 11, time.Thursday, 4), "Thanksgiving Day"},
		{sunday(12, 25), "Christmas Day"},
	}
	if year >= 2022 {
		days = append(days, Holiday{sunday(6, 19), "Juneteenth"})
	}
	return days
}

// holidaysTARGET: the closing days of the Eurosystem's T2 (ECB).
func holidaysTARGET(year int) []Holiday {
	e := easter(year)
	return []Holiday{
		{date(year, 1, 1), "New Year's Day"},
		{e.AddDate(0, 0, -2), "Good Friday"},
		{e.AddDate(0, 0, 1), "Easter Monday"},
		{date(year, 5, 1), "Labour Day"},
		{date(year, 12, 25), "Christmas Day"},
		{date(year, 12, 26), "Christmas holiday"},
	}
}

func date(year int, m time.Month, d int) time.Time {
	return time.Date(year, m, d, 0, 0, 0, 0, time.UTC)
}

// nth is the n-th weekday w of a month, or the last for n = -1.
func nth(year int, m time.Month, w time.Weekday, n int) time.Time {
	if n < 0 {
		last := date(year, m+1, 0)
		return last.AddDate(0, 0, -(int(last.Weekday()-w)+7)%7)
	}
	first := date(year, m, 1)
	return first.AddDate(0, 0, (int(w-first.Weekday())+7)%7+7*(n-1))
}

// easter is Easter Sunday of the Gregorian calendar, by the full moon of the year's
// place in the 19-year cycle (the anonymous computus of Nature, 1876).
func easter(year int) time.Time {
	golden, century, of := year%19, year/100, year%100
	leaps, corrected := century/4, (century-(century+8)/25+1)/3
	epact := (19*golden + century - leaps - corrected + 15) % 30
	weekday := (32 + 2*(century%4) + 2*(of/4) - epact - of%4) % 7
	late := (golden + 11*epact + 22*weekday) / 451
	n := epact + weekday - 7*late + 114
	return date(year, time.Month(n/31), n%31+1)
}
