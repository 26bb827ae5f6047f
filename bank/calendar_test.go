package bank

import (
	"strings"
	"testing"
	"time"
)

func TestHolidays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ calendar, days string }{
		{"BR", "2026-01-01 2026-02-16 2026-02-17 2026-04-03 2026-04-21 2026-05-01 2026-06-04 2026-09-07 2026-10-12 2026-11-02 2026-11-15 2026-11-20 2026-12-25"},
		{"CO", "2026-01-01 2026-01-12 2026-03-23 2026-04-02 2026-04-03 2026-05-01 2026-05-18 2026-06-08 2026-06-15 2026-06-29 2026-07-20 2026-08-07 2026-08-17 2026-10-12 2026-11-02 2026-11-16 2026-12-08 2026-12-25"},
		{"MX", "2026-01-01 2026-02-02 2026-03-16 2026-04-02 2026-04-03 2026-05-01 2026-09-16 2026-11-02 2026-11-16 2026-12-12 2026-12-25"},
		{"US", "2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-07-04 2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25"},
		{"target", "2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-12-25 2026-12-26"},
	} {
		c, err := CalendarOf(tt.calendar)
		if err != nil {
			t.Fatal(err)
		}
		var days []string
		for _, h := range c.Holidays(2026) {
			days = append(days, h.Day.Format(time.DateOnly))
		}
		if got := strings.Join(days, " "); got != tt.days {
			t.Errorf("%s:\n%s, want\n%s", tt.calendar, got, tt.days)
		}
	}
	if c, _ := CalendarOf("BR"); len(c.Holidays(2023)) != 12 {
		t.Error("20 November was no holiday in 2023")
	}
	if c, _ := CalendarOf("MX"); len(c.Holidays(2030)) != 12 {
		t.Error("a president takes office on 1 October 2030")
	}
	if c, _ := CalendarOf("US"); !c.Holidays(2027)[6].Day.Equal(date(2027, 7, 5)) && c.Open(date(2027, 7, 5)) {
		t.Error("4 July 2027 is a Sunday, kept on Monday")
	}
	if _, err := CalendarOf("AR"); err == nil {
		t.Error("Argentina's holidays are decreed, not computed")
	}
}

// TestEaster holds published dates, among them the earliest and latest possible.
func TestEaster(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"1818-03-22", "1943-04-25", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2030-04-21", "2038-04-25", "2285-03-22"} {
		day, _ := time.Parse(time.DateOnly, want)
		if got := easter(day.Year()); !got.Equal(day) {
			t.Errorf("Easter of %d is %s, want %s", day.Year(), got.Format(time.DateOnly), want)
		}
	}
}

func TestBusinessDay(t *testing.T) {
	t.Parallel()
	br, _ := CalendarOf("BR")
	cl := Calendar{}.With(Holiday{time.Date(2026, 9, 18, 15, 0, 0, 0, time.FixedZone("", -4*3600)), "Independencia"})
	for _, tt := range []struct {
		c    Calendar
		from string
		n    int
		want string
	}{
		{br, "2026-11-19", 1, "2026-11-23"}, // Friday 20 is a holiday
		{br, "2026-11-20", 0, "2026-11-23"},
		{br, "2026-11-19", 0, "2026-11-19"},
		{br, "2026-11-23", -1, "2026-11-19"},
		{br, "2026-12-30", 2, "2027-01-04"}, // the 31st counts, the 1st does not
		{br, "2026-02-13", 1, "2026-02-18"}, // Carnival
		{cl, "2026-09-17", 1, "2026-09-21"},
		{cl, "2026-09-17", 5, "2026-09-25"},
		{Calendar{}, "2026-09-17", 1, "2026-09-18"},
	} {
		from, _ := time.Parse(time.DateOnly, tt.from)
		if got := tt.c.BusinessDay(from, tt.n).Format(time.DateOnly); got != tt.want {
			t.Errorf("%d days from %s: %s, want %s", tt.n, tt.from, got, tt.want)
		}
	}
	if len((Calendar{}).Holidays(2026)) != 0 {
		t.Error("With changed the calendar it was called on")
	}
	// Late in the evening of the 19th in São Paulo it is the 20th in UTC.
	if !br.Open(time.Date(2026, 11, 19, 23, 0, 0, 0, time.FixedZone("", -3*3600))) {
		t.Error("the zone of the time does not decide the day")
	}
}
