package speech

import (
	"context"
	"strconv"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// GPU is what the driver says about one graphics card.
type GPU struct {
	Name        string `json:"name"`
	Utilisation int    `json:"utilisation"`  // percent of the last moments in which it computed
	MemoryUsed  int64  `json:"memory_used"`  // bytes, of all programs
	MemoryTotal int64  `json:"memory_total"` // bytes
	Temperature int    `json:"temperature"`  // degrees Celsius
}

const (
	gpuEvery = 5 * time.Second
	maxGPUs  = 64
)

// watchGPUs reports the NVIDIA cards until ctx ends, or once why there is
// nothing to report. It must run in a worker: the driver's library may crash,
// and after a failed Init any other call of it ends the process.
func watchGPUs(ctx context.Context, report func(cards []GPU, problem string)) {
	if ret := nvml.Init(); ret != nvml.SUCCESS {
		report(nil, initProblem(ret))
		return
	}
	defer func() { _ = nvml.Shutdown() }()
	tick := time.NewTicker(gpuEvery)
	defer tick.Stop()
	for {
		report(readGPUs())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func initProblem(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND, nvml.ERROR_DRIVER_NOT_LOADED:
		return "Драйвер NVIDIA не найден, сведений о видеокарте нет. Если карта установлена, установите драйвер и перезапустите службу."
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "Драйвер NVIDIA обновлён, но старый ещё загружен. Перезагрузите сервер."
	case nvml.ERROR_NO_PERMISSION:
		return "Нет доступа к видеокарте NVIDIA. Дайте службе права на устройства /dev/nvidia*."
	}
	return "Драйвер NVIDIA не отвечает (код " + strconv.Itoa(int(ret)) + "). Проверьте карту командой nvidia-smi."
}

// readGPUs must follow a successful Init.
func readGPUs() ([]GPU, string) {
	count, ret := nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, initProblem(ret)
	}
	var cards []GPU
	for i := range min(count, maxGPUs) {
		d, ret := nvml.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			return cards, initProblem(ret)
		}
		var g GPU // what a card does not tell stays zero
		if name, ret := d.GetName(); ret == nvml.SUCCESS {
			g.Name = name
		}
		if u, ret := d.GetUtilizationRates(); ret == nvml.SUCCESS {
			g.Utilisation = int(u.Gpu)
		}
		if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
			g.MemoryUsed, g.MemoryTotal = int64(m.Used), int64(m.Total) //nolint:gosec // far below the limit
		}
		if t, ret := d.GetTemperature(nvml.TEMPERATURE_GPU); ret == nvml.SUCCESS {
			g.Temperature = int(t)
		}
		cards = append(cards, g)
	}
	return cards, ""
}
