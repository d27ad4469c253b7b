package pack

// Refusal says why a document is not accepted. Each is a value of its own, so
// errors.Is tells them apart.
type Refusal struct {
	reason string
	hint   string
}

// NewRefusal makes one. reason is for logs, hint for the screen (Russian).
func NewRefusal(reason, hint string) *Refusal { return &Refusal{reason, hint} }

func (r *Refusal) Error() string { return r.reason }

// Hint is what the person who loads the document reads (Russian): what happened
// and what to do next.
func (r *Refusal) Hint() string { return r.hint }

// Why a document is refused.
var (
	ErrTooLarge   = &Refusal{"the document is larger than 64 KiB", "Файл слишком велик и не может быть документом поставщика. Проверьте, тот ли файл выбран."}
	ErrMalformed  = &Refusal{"the document is not a v4.public token", "Это не документ поставщика или он повреждён при пересылке. Загрузите исходный файл целиком, без правки в редакторе."}
	ErrUnknownKey = &Refusal{"signed by a key that is not trusted", "Документ подписан ключом, которому это устройство не доверяет. Обновите FlySense или запросите документ заново."}
	ErrSignature  = &Refusal{"the signature does not match the document or the installation", "Подпись не подходит: документ изменён или выписан для другого устройства. Сверьте номер FS-… и запросите документ для этого устройства."}
	ErrRole       = &Refusal{"signed by a key of another role", "Документ подписан ключом другого назначения. Запросите документ заново."}
	ErrKeyTime    = &Refusal{"the key was not valid at this time", "Срок действия ключа подписи не совпадает с датой. Проверьте часы устройства; если они верны, запросите документ заново."}
	ErrKind       = &Refusal{"a document of another kind or version", "Это документ другого вида или новой версии. Проверьте, тот ли файл выбран, или обновите FlySense."}
	ErrCanonical  = &Refusal{"the payload is not in canonical form", "Документ составлен не по правилам. Сообщите поставщику и запросите новый."}
	ErrFields     = &Refusal{"a field of the payload is missing or wrong", "В документе неверное поле. Сообщите поставщику и запросите новый."}
	ErrMismatch   = &Refusal{"amount and fc of the pack disagree", "Сумма пакета записана противоречиво. Сообщите поставщику и запросите новый."}
	ErrOverMax    = &Refusal{"the amount is above the limit of the signing key", "Сумма пакета больше разрешённой для ключа подписи. Сообщите поставщику."}
	ErrFuture     = &Refusal{"the document was issued in the future", "Документ выписан позже, чем показывают часы устройства. Исправьте дату и время и загрузите его снова."}
	ErrLate       = &Refusal{"the document is past its load_by", "Срок загрузки документа истёк. Запросите у поставщика новый: оплаченное не пропадает."}
)
