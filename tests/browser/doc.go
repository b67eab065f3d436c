// Package browser looks at the dashboard with a real Chromium. A module of its own, so
// that what drives the browser stays out of the product.
package browser
