"""What models say in European languages but English when they refuse or do not know."""

from __future__ import annotations

REFUSAL = {
    "German": (
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich kann|kann ich|ich darf|darf ich)(?! das nicht oft "
            r"genug)[^.,!?;\n]{0,60}?\b(?:nichts?|keine?\w?)\b[^.,!?;\n]{0,60}?\b(?:weiter)?(?:h"
            r"elfen|beantworten|geben|bereitstellen|liefern|unterstützen|sagen|beurteilen"
            r"|erfüllen|erstellen|schreiben|zugreifen|überprüfen|bestätigen|nachsehen|antworten"
            r"|nachkommen|einsehen|öffnen|vorhersagen)\b"
        ),
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich bin|bin ich) (?:leider |dazu )*nicht (?:in der lage"
            r"|befugt|berechtigt|imstande)\b"
        ),
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich habe|habe ich) (?:leider |auf \w+ )*kein(?:en|e)? "
            r"(?:direkten |aktuellen |echtzeit-?)*zugriff\b"
        ),
        (
            r"als (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell)(?:-?(?:sprach)?(?:modell"
            r"|assistent|system))?,? (?:kann|habe|bin|verfüge|darf|weiß|besitze) ich\b"
        ),
        r"ich (?:muss|möchte) (?:das |dies |diese anfrage )?(?:leider )?ablehnen\b",
        (
            r"(?:dabei|damit|dazu|darauf|hierzu|diese frage) kann ich (?:dir |ihnen |euch "
            r")?(?:leider )?(?:nichts?|keine)\b"
        ),
    ),
    "French": (
        (
            r"je (?:ne )?(?:peux|pourrai|saurais) (?:malheureusement |vraiment )?pas (?:(?:vous"
            r"|t'|te|m'|y|le|la|les|en|directement) ?)*(?:aid|répond|fourni|donn|assist|génér"
            r"|écri|créer|accéd|dire|confirm|vérifi|détermin|prédi|faire|satisf|effectu|consult"
            r"|recommand|particip|traiter|conseill)"
        ),
        (
            r"je (?:ne )?suis (?:malheureusement )?(?:pas en mesure|incapable|dans l'incapacité"
            r"|pas capable|pas autorisée?|pas habilitée?)\b"
        ),
        (
            r"je n'ai (?:malheureusement )?(?:pas|aucun) (?:(?:d'|l'|directement |la "
            r")?)?(?:accès|possibilité|capacité)\b"
        ),
        (
            r"en tant qu(?:'|e |')(?:une? )?(?:ia|intelligence artificielle|modèle"
            r"|assistant)\b[^.\n]{0,40}\b(?:je|mon|ma)\b"
        ),
        r"il m'est (?:malheureusement )?impossible de\b",
        r"je (?:dois|préfère|me vois) [^.\n]{0,20}(?:refuser|décliner)\b",
    ),
    "Spanish": (
        (
            r"no (?:te |le |lo |les |la )?(?:puedo|podré|podría) (?:\w+mente )?(?:ayud|respond"
            r"|proporcion|dar|brind|ofrec|gener|escrib|crear|acced|decir|confirm|verific"
            r"|determin|predec|hacer|cumpl|realiz|consult|recomend|particip|compart|contest"
            r"|aconsej|asist)"
        ),
        (
            r"no (?:soy capaz|me es posible|estoy en condiciones|estoy autorizad[oa]|tengo "
            r"permitido)\b"
        ),
        r"no tengo (?:\w+ )?(?:acceso|la capacidad|capacidad|la posibilidad|permiso)\b",
        (
            r"como (?:una? )?(?:ia|inteligencia artificial|modelo de (?:lenguaje|ia)|asistente "
            r"(?:de ia|virtual))\b[^.\n]{0,40}?,? (?:no|yo|mi)\b"
        ),
        r"(?:debo|tengo que) (?:rechazar|declinar|negarme)\b",
    ),
    "Italian": (
        (
            r"non (?:ti |vi |le |lo |la )?(?:posso|potrei|riesco a) (?:\w+mente )?(?:aiut"
            r"|rispond|forni|dare|darti|dirti|dire|gener|scriv|crear|acced|conferm|verific"
            r"|determin|preved|fare|soddisf|esegu|consult|consigli|partecip|assist)"
        ),
        r"non sono (?:purtroppo )?(?:in grado|capace|autorizzat[oa]|abilitat[oa])\b",
        r"non ho (?:\w+ )?(?:accesso|la capacità|la possibilità|modo di)\b",
        (
            r"(?:come|in quanto|essendo) (?:un'? ?|una )?(?:ia|intelligenza artificiale|modello "
            r"(?:linguistico|di linguaggio)|assistente)\b[^.\n]{0,40}?,? (?:non|io|il mio)\b"
        ),
        r"devo (?:rifiutare|declinare)\b",
    ),
    "Portuguese": (
        (
            r"(?:eu )?não (?:te |lhe |o |a )?(?:posso|poderei|consigo|poderia) (?:\w+mente "
            r")?(?:te |lhe |o |a )?(?:ajud|respond|fornec|dar|ger|escrev|criar|acess|dizer"
            r"|confirm|verific|determin|prever|fazer|cumpr|realiz|consult|recomend|particip"
            r"|compartilh|auxili|aconselh)"
        ),
        (
            r"(?:eu )?não (?:sou capaz|estou autorizad[oa]|tenho permissão|estou em condições"
            r"|me é possível)\b"
        ),
        (
            r"(?:eu )?não tenho (?:\w+ )?(?:acesso|a capacidade|capacidade|como (?:acessar"
            r"|verificar|saber))\b"
        ),
        (
            r"como (?:uma? )?(?:ia|inteligência artificial|modelo de linguagem|assistente (?:de "
            r"ia|virtual))\b[^.\n]{0,40}?,? (?:não|eu|meu)\b"
        ),
        r"(?:devo|tenho que|preciso) (?:recusar|declinar)\b",
    ),
    "Dutch": (
        (
            r"(?:(?:daar|dat|dit|hier|hierbij|hiermee|daarmee|hierover|daarover|die \w+|deze "
            r"\w+) )?(?:ik kan|kan ik)[^.,!?;\n]{0,60}?\b(?:niets?"
            r"|geen)\b[^.,!?;\n]{0,60}?\b(?:helpen|beantwoorden|geven|verstrekken|zeggen"
            r"|leveren|voldoen|schrijven|controleren|bevestigen|bekijken|openen|voorspellen"
            r"|antwoorden|assisteren|inzien)\b"
        ),
        (
            r"(?:(?:daar|dat|dit|hier|hierbij|hiermee|daarmee|hierover|daarover|die \w+|deze "
            r"\w+) )?(?:ik ben|ben ik) (?:helaas )?niet (?:in staat|bevoegd|gemachtigd)\b"
        ),
        r"(?:ik heb|heb ik) (?:helaas )?geen (?:directe |actuele )?toegang\b",
        (
            r"als (?:een )?(?:ai|kunstmatige intelligentie|taalmodel)(?:-?(?:taalmodel"
            r"|assistent|model|systeem))?,? (?:kan|heb|ben|beschik|mag|weet) ik\b"
        ),
        r"ik moet (?:dit |dat |dit verzoek )?(?:helaas )?(?:weigeren|afwijzen)\b",
    ),
}
UNSURE = {
    "German": (
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich bin|bin ich|ich wäre) (?:mir )?(?:da |hier |dabei "
            r"|leider |ehrlich gesagt |aber |auch )*(?:nicht (?:ganz |wirklich |völlig |so "
            r"|hundertprozentig |100%ig )?sicher|unsicher|überfragt)\b"
        ),
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich weiß|weiß ich) (?:es |das |leider |auch |ehrlich "
            r"gesagt |dazu |darüber |selbst )*(?:nichts?|keine antwort)\b(?! (?:wie ich|warum "
            r"ich|ob ich lachen|wie lange))"
        ),
        (
            r"(?:(?:da|dazu|dabei|damit|das|darauf|hierzu|hier|hierbei|darüber|dies|es|diese "
            r"\w+|diesbezüglich) )?(?:ich habe|mir fehlen|ich verfüge über|habe ich|verfüge ich "
            r"über|fehlen mir|ich kenne|kenne ich) (?:leider |dazu |hierzu |darüber |die |nicht "
            r"|zu \w+ |über \w+ )*(?:keine |genug |genügend |ausreichend(?:en)? |nötigen "
            r"|genauen |verlässlichen? |notwendigen |näheren )*(?:informationen|ahnung|angaben"
            r"|kenntnisse|daten|wissen|details|antwort)\b"
        ),
        r"keine ahnung\b|(?:[^.,!?;:\n]{1,40} )?(?:ich kenne|kenne ich)[^.,!?;\n]{0,30}? nicht\b",
        (
            r"ich (?:kann|könnte) (?:es |das |dazu |leider |nur )*(?:nicht (?:mit (?:sicherheit"
            r"|bestimmtheit)|genau|sicher) |nur raten|mich irren|vermuten)"
        ),
    ),
    "French": (
        (
            r"je ne (?:le |la |les )?sais (?:malheureusement |vraiment |honnêtement )?pas\b(?! "
            r"(?:pour vous|pour toi|pourquoi je|combien de temps))"
        ),
        (
            r"je (?:ne )?suis (?:pas |vraiment |malheureusement |tout à fait |très |absolument "
            r"|totalement )*(?:pas (?:\w+ |tout à fait )?)?(?:incertaine?|pas sûre?|pas "
            r"certaine?)\b"
        ),
        r"je ne suis pas (?:\w+ |tout à fait |très )?(?:sûre?|certaine?)\b",
        (
            r"je (?:n'ai|ne dispose|ne possède)[^.,;\n]{0,30}?\b(?:pas"
            r"|aucune?)\b[^.,;\n]{0,24}?(?:information|connaissance|donnée|idée|détail|élément"
            r"|réponse|contexte)"
        ),
        r"(?:aucune idée|je l'ignore|j'ignore|je ne connais (?:malheureusement )?pas)\b",
        r"je (?:peux|pourrais) me tromper\b",
    ),
    "Spanish": (
        r"(?:yo )?no (?:lo )?sé\b(?! (?:tú|vosotros|ustedes|usted|por qué me|cuánto tiempo))",
        r"(?:yo )?no estoy (?:\w+ )?segur[oa]\b",
        (
            r"no (?:tengo|dispongo de|cuento con|poseo)[^.,;\n]{0,25}?(?:información|datos|idea"
            r"|detalles|conocimientos?|respuesta|contexto|certeza)"
        ),
        r"(?:ni idea|desconozco|no conozco)\b",
        r"(?:podría|puedo) (?:estar equivocad[oa]|equivocarme)\b",
    ),
    "Italian": (
        r"non (?:lo )?so\b(?! (?:voi|perché mi|quanto tempo))",
        r"non (?:ne )?sono (?:\w+ )?(?:sicur[oa]|cert[oa])\b",
        (
            r"non (?:ho|dispongo di|possiedo)[^.,;\n]{0,25}?(?:informazioni|risposta|dati|idea"
            r"|dettagli|conoscenze|certezza)"
        ),
        r"(?:nessuna idea|lo ignoro|non conosco)\b",
        r"potrei (?:sbagliarmi|essere in errore)\b",
    ),
    "Portuguese": (
        r"(?:eu )?(?:não sei|não o sei)\b(?! (?:vocês|você|por que me|quanto tempo))",
        r"(?:eu )?não (?:tenho|estou) (?:\w+ )?(?:a )?(?:certeza|cert[oa]|segur[oa])\b",
        (
            r"(?:eu )?não (?:tenho|disponho de|possuo)[^.,;\n]{0,25}?(?:informaç|dados|ideia"
            r"|detalhes|conhecimento|resposta|contexto)"
        ),
        r"(?:desconheço|não conheço)\b",
        r"(?:eu )?(?:posso|poderia) estar (?:enganad[oa]|errad[oa])\b",
    ),
    "Dutch": (
        (
            r"(?:(?:daar|dat|dit|hier|hierbij|hiermee|daarmee|hierover|daarover|die \w+|deze "
            r"\w+) )?(?:ik weet|weet ik) (?:het |dat |daar |helaas |eerlijk gezegd |dit |ook "
            r"|zelf )*(?:niets?)\b(?! (?:hoe ik|waarom ik|wat ik|hoe lang))"
        ),
        (
            r"(?:(?:daar|dat|dit|hier|hierbij|hiermee|daarmee|hierover|daarover|die \w+|deze "
            r"\w+) )?(?:ik ben|ben ik) (?:er |me |daar |hier |helaas )*(?:niet (?:helemaal "
            r"|echt |geheel |honderd procent )?(?:zeker|van overtuigd)|onzeker)\b"
        ),
        (
            r"(?:(?:daar|dat|dit|hier|hierbij|hiermee|daarmee|hierover|daarover|die \w+|deze "
            r"\w+) )?(?:ik heb|heb ik|ik beschik|beschik ik) (?:helaas |hier |daar |daarover "
            r"|hierover |over |niet )*(?:geen|onvoldoende|niet genoeg|genoeg|voldoende) (?:\w+ "
            r")?(?:informatie|idee|gegevens|kennis|details|antwoord)\b"
        ),
        r"geen idee\b|(?:ik ken|ken ik)[^.,!?;\n]{0,30}? niet\b",
        r"ik kan (?:het |dat )?(?:mis hebben|me vergissen|niet met zekerheid)",
    ),
}
