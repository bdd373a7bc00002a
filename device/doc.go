// Package device is a complete FUOTA end-device.
package device
