package audio

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// renounce sees to it that no thread of the process can gain rights. The flag
// belongs to a thread and Go has started several by now, so the thread that
// sets it executes the program once more: all threads of the new image have it.
func renounce() error {
	set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || set == 1 {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// confine limits what the process may use before it sees the first byte of the
// recording.
func confine(q question) error {
	used, err := addressSpace()
	if err != nil {
		return err
	}
	cpu := uint64((cpuFloor + q.Length/cpuShare).Seconds())
	written := uint64((q.Length.Seconds() + 1) * float64(q.Rate) * maxChannel * 2)
	for _, l := range []struct {
		name  string
		which int
		value uint64
	}{
		{"address space", unix.RLIMIT_AS, used + allowance},
		{"processor time", unix.RLIMIT_CPU, cpu},
		{"file size", unix.RLIMIT_FSIZE, written},
		{"open files", unix.RLIMIT_NOFILE, maxOpenFiles},
		{"core", unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(l.which, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	debug.SetMemoryLimit(allowance / 2)
	return nil
}

// addressSpace is what the process has reserved, in bytes.
func addressSpace() (uint64, error) {
	stat, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages, pageBytes = uint64(0), uint64(os.Getpagesize()) //nolint:gosec // positive
	if _, err := fmt.Sscan(strings.Fields(string(stat))[0], &pages); err != nil {
		return 0, fmt.Errorf("read address space: %w", err)
	}
	return pages * pageBytes, nil
}
