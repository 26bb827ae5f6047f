package api

import (
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"giro"
)

// healthRoutes say how the process does.
var healthRoutes = []*route{
	{method: "GET", path: "/metrics", id: "metrics", tag: "operations", summary: "Figures for Prometheus", access: accessPublic, status: 200, media: "text/plain",
		about: "With the installation's admin token; to anyone else this route does not exist.", errors: []giro.Code{giro.CodeRouteUnknown},
		handler: func(c *call) error {
			token, err := bearer(c.r.Header)
			if err != nil || c.s.config.Admin == nil || !c.s.config.Admin(token) {
				return giro.Refuse(giro.CodeRouteUnknown, "", "there is no such route; the routes stand at /docs")
			}
			c.status = http.StatusOK
			Metrics(c.engine()).ServeHTTP(c.w, c.r)
			return nil
		}},
}

// buildVersion is the module's version, as the binary was built.
var buildVersion = func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}()

// Metrics answers scrapes of Prometheus: the process, the Go runtime and the
// engine. It asks for no credential; what serves it outside the API listens
// where only operators are.
func Metrics(e *giro.Engine) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), engineMetrics{e})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// engineMetrics reads the engine's figures at each scrape.
type engineMetrics struct{ e *giro.Engine }

var (
	batchesTotal  = prometheus.NewDesc("giro_batches_total", "Database transactions that this process committed.", nil, nil)
	commandsTotal = prometheus.NewDesc("giro_commands_total", "Commands in those transactions.", nil, nil)
	commandsQueue = prometheus.NewDesc("giro_commands_waiting", "Commands that wait for the next transaction.", nil, nil)
	engineHealthy = prometheus.NewDesc("giro_engine_healthy", "1 while the books add up; 0: an operator has to look.", nil, nil)
	buildInfo     = prometheus.NewDesc("giro_build_info", "1, with the version that runs.", []string{"version"}, nil)
)

// Describe implements prometheus.Collector.
func (m engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{batchesTotal, commandsTotal, commandsQueue, engineHealthy, buildInfo} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m engineMetrics) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(buildInfo, prometheus.GaugeValue, 1, buildVersion)
	if m.e == nil {
		return
	}
	batches, commands := m.e.BatchStats()
	ch <- prometheus.MustNewConstMetric(batchesTotal, prometheus.CounterValue, float64(batches))
	ch <- prometheus.MustNewConstMetric(commandsTotal, prometheus.CounterValue, float64(commands))
	ch <- prometheus.MustNewConstMetric(commandsQueue, prometheus.GaugeValue, float64(m.e.Waiting()))
	healthy := 1.0
	if m.e.Healthy() != nil {
		healthy = 0
	}
	ch <- prometheus.MustNewConstMetric(engineHealthy, prometheus.GaugeValue, healthy)
}
