"""The words by which rules tell a name, a trade or a thing from what only stands where one could.

All are closed lists, and all are used in the same way: what they do not settle is not read.
"""

from __future__ import annotations

import re

__all__ = [
    "ALLERGENS",
    "FAMILY",
    "JOBS",
    "MOVES_ELSE",
    "NO_EMPLOYERS",
    "NO_HOMES",
    "NO_PLACES",
    "NO_THINGS",
    "NO_TRADES",
    "OCCUPIES",
    "is_bare",
    "is_favourite",
    "is_name",
]

_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"

_NO_NAMES = frozenset(
    f"""american arab atheist aussie australian austrian back basque belgian brazilian brit british buddhist canadian
    catalan catholic chinese christian czech danish dr dutch dyslexic english fine finnish french german greek hebrew
    here hindu indian irish israeli italian iraqi jain japanese jewish korean kurd mexican mr mrs ms muslim norwegian ok
    pakistani polish portuguese protestant punjabi russian saudi scot scottish scouse sikh slovak sorry spanish swede
    swedish swiss tamil thai turk turkish ukrainian vegan vegetarian welsh yoruba zulu
    chilean congolese cornish eritrean filipino flemish kurdish lebanese maltese mormon nepalese quaker singaporean
    sudanese taiwanese vietnamese yiddish
    aquarius aries cancer capricorn gemini libra pisces sagittarius scorpio taurus virgo
    autistic bi bipolar blind celiac coeliac deaf diabetic disabled epileptic gay lesbian queer straight trans
    {_DAYS} today tomorrow tonight later when if
    adopted annoyed banned blocked frustrated leaving looking puzzled starving trying working
    afraid alone asleep awake away batman bored busy confused curious done excited free glad good great groot happy
    home hungry ill in interested late legion locked lost married maybe new not off old on out poor pregnant ready rich
    retired sad scared serious sick single spartacus stuck sure team there tired torn type unsure up upset well worried
    young""".split()
)
_PEOPLE = re.compile(r"\w{3,}ian")  # Nigerian, Canadian, Presbyterian
_NAMES_LIKE_PEOPLE = frozenset(
    """adrian aurelian bastian ciprian cristian cyprian damian dorian emilian fabian florian gillian iulian julian
    kilian kristian lilian lillian lucian marian maximilian octavian sebastian traian valerian vivian""".split()
)

NO_THINGS = frozenset(
    """it that this them these those you him her to the a your how what nothing neither nobody none no everything
    anything if as when where who whom why being not""".split()
)

_TIMES = f"{_MONTHS} {_DAYS} christmas easter lent ramadan thanksgiving halloween hanukkah diwali weekends night"
NO_PLACES = frozenset(f"{_TIMES} apartment block building chapter flat floor house level phase room suite unit".split())
"""What may follow "I live in" with a capital, and is no place to live."""

NO_EMPLOYERS = frozenset(
    f"""{_TIMES} home i desk floor level free fun food money peanuts
    me myself us you mum mom mummy mommy dad daddy grandma grandpa gran granddad uncle aunt""".split()
)
"""What may follow "I work for" or "I work at" with a capital, and is no employer."""

ALLERGENS = (
    r"(?:(?:tree |pea|hazel|wal|chest|brazil |pine )?nuts?|almonds?|cashews?|pistachios?|pecans?|milk|dairy|lactose"
    r"|casein|eggs?|egg white|shellfish|seafood|fish|shrimps?|prawns?|crabs?|lobster|soya?|wheat|gluten|sesame"
    r"|mustard|celery|lupin|corn|kiwis?|strawberry|banana|tomato|apple|peach|avocado|chocolate|pollen|grass|birch|ragweed"
    r"|dust(?: mites?)?|mou?ld|cats?|dogs?|pets?|horses?|bees?|wasps?|insects?|latex|nickel|perfume|penicillin"
    r"|amoxicillin|antibiotics?|aspirin|ibuprofen|codeine|sulfa|sulfites?|sulphites?|iodine)"
)

_FIELDS = (  # what may stand before a trade and is part of it; "slow" and "nervous" are not
    r"software|hardware|web|data|database|systems?|networks?|security|cloud|mobile|game|games|devops|machine|deep"
    r"|learning|ml|ai|qa|test|site|reliability|platform|embedded|back-?end|front-?end|full-?stack|java|python|ios|android"
    r"|mechanical|electrical|electronics?|civil|chemical|structural|aerospace|biomedical|industrial|sound|audio|process"
    r"|sales|support|product|projects?|program|programme|graphics?|ux|ui|interior|fashion|landscape|office|store|shop"
    r"|bank|account|hr|marketing|finance|financial|business|operations|it|management|strategy|wedding|portrait|wildlife"
    r"|press|travel|technical|copy|content|sports?|science|concert|session|jazz|rock|classical|make-?up|tattoo|concept"
    r"|primary|elementary|high|middle|secondary|grammar|school|kindergarten|nursery|english|french|german|spanish"
    r"|latin|maths?|physics|chemistry|biology|history|geography|music|art|pe|yoga|piano|violin|guitar|language|dance"
    r"|driving|registered|trauma|icu|er|paediatric|pediatric|psychiatric|veterinary|family|junior|senior|staff|head|sous"
    r"|pastry|line|lead|principal|chief|assistant|associate|deputy|freelance|self-employed|full-time|part-time"
    r"|qualified|chartered|certified|apprentice|trainee|medical|law|phd|graduate|master's|university|college|research"
    r"|computer|social|political|rocket|environmental|marine|clinical|physical|occupational|speech|massage|divorce"
    r"|criminal|corporate|tax|patent|immigration|truck|lorry|bus|taxi|cab|uber|delivery|train|tram|ambulance|forklift"
    r"|airline|fighter|helicopter|commercial|cargo|drone|dairy|organic|sheep|wheat|night|general|vegan"
)
JOBS = (
    rf"((?:(?:(?i:{_FIELDS})|[A-Z][\w.+#-]*) ){{0,3}}"
    r"(?:engineer|developer|teacher|nurse|doctor|chef|cook|lawyer|designer|student|scientist"
    r"|professor|architect|accountant|writer|journalist|musician|artist|pilot|manager|consultant|researcher|electrician"
    r"|plumber|dentist|pharmacist|photographer|carpenter|farmer|driver|programmer|analyst|therapist|librarian|baker))\b"
    r"(?!['-])"
)
NO_TRADES = r"(?:rule|team|example|way|means|result|group|unit|family|couple|whole|hobby|favou?r|matter|joke|kid|child)"
"""What may follow "I work as a", and is no trade."""

NO_HOMES = frozenset(
    """accounting accounts business compliance design engineering finance hr infrastructure it legal logistics
    management marketing operations procurement product production qa recruiting research sales security support
    agile airflow airtable android angular ansible anthropic arc arch asana astro auth0 aws azure basecamp
    bash bazel bedrock bigquery bitbucket bluesky brave bun canva cassandra celery chatgpt chrome circleci claude
    clickhouse clickup clojure cloudflare codex colab confluence consul copilot cursor cypress dagster databricks
    datadog dbt debian deepseek deno discord django docker dropbox duckdb dynamodb eclipse edge eks elastic
    elasticsearch elixir elm emacs envoy erlang eslint evernote excel expo fargate fastapi fedora figma firebase
    firefox flask flutter fly framer gcp gemini ghost git github gitlab gke gmail go godot golang google gpt gradle
    grafana graphql grpc haskell helix heroku hetzner hubspot hugo hypercard icloud instagram intercom ios iphone
    istio java javascript jenkins jest jira julia jupyter kafka kagi kanban keycloak keynote kotlin kubernetes
    lambda langchain langgraph laravel linear linux llama loki lua mac macos mariadb mastodon matlab mattermost
    maven medium meilisearch miro mistral mongodb mysql nats neo4j neovim netlify next nextjs nginx nix node nodejs
    nomad notion numpy nvim obsidian odoo office okta openai opensearch opera oracle outlook pagerduty pandas paypal
    perl php pinecone pipenv playwright pnpm podman poetry polars postgres postgresql prometheus proton pulumi
    puppeteer pydantic pytest python pytorch qdrant quarto quip rabbitmq rails ray react redis roam rollbar ruby
    rust safari sagemaker salesforce sass scala scikit scrum scylla selenium sentry sharepoint shopify signal sketch
    slack snowflake solid solr spark splunk spotify spring sql sqlite squarespace starlink stripe sublime substack
    supabase svelte swift tableau tailwind tauri teams telegram temporal tensorflow terraform threads thunderbird
    tidal todoist traefik trello trino turso twitter typescript typesense ubuntu unity unreal valkey vercel vertex
    vim vite vivaldi vscode vue weaviate webex webflow webpack whatsapp windows wix wordpress x xcode xero yarn
    zapier zed zendesk zig zoom zsh zulip""".split()
)
"""What may follow "I moved to" with a capital, and is a tool or a department."""

MOVES_ELSE = re.compile(  # to another tool or team, or not for good
    r"\b(?:at work|office|teams?|projects?|apps?|servers?|wi-?fi|software|database|cloud|versions?|subscription|plan"
    r"|meetings?|stand-?up|calls?|everyone|everything|backend|frontend|pipelines?|deployments?|infra(?:structure)?"
    r"|clusters?|hosting|codebase|repos?|migrat\w+|tickets|league|games?|(?:our|the|as a) company"
    r"|(?:came|come|went|moved|am|'m|are|'re) (?:back|home)|back home|(?:am|'m|are|'re) (?:now in|in \w+ now)"
    r"|(?:then|later) (?:(?:moved|on|went|relocated) )?to|returned|hated|ended up|left (?:again|after|in))\b",
    re.I,
)

OCCUPIES = re.compile(  # who says so has moved to live there, not to another tool or department
    r"\b(?:(?:flat|apartment|house|cottage|condo|city|town|village|country|neighbou?rs?|neighbou?rhood|landlord|landlady"
    r"|flatmates?|roommates?|housemates?)(?=\s*$|\s*[^\w\s-]|\s(?:and|but|so|is|are|there|here|in|near|with|by|on|now)\b)"
    r"|(?:live|living) (?:here|there|with|by|near)\b|(?:love|like|enjoy|happy|settl\w+) (?:it |in )?(?:here|there)\b)",
    re.I,
)

FAMILY = re.compile(  # whom no team takes with it
    r"\bwith (?:the|my|our) (?:\w+ )?(?:family|kids?|children|sons?|daughters?|baby|wife|husband|partner|girlfriend"
    r"|boyfriend|fianc\w+|parents|mum|mom|dad|dogs?|cats?)\b|\bas a family\b",
    re.I,
)

_NO_NOUNS = frozenset(
    """etc more other others stuff such things suck sucks i me my mine you your yours he him his she her hers it its we
    us our ours they them their theirs who whom this that these those someone everyone everything nothing there
    here am is are was were be been being isn't aren't wasn't have has had having do does did don't doesn't
    didn't can can't cannot could couldn't will won't would wouldn't shall should shouldn't may might must up
    out off away back down over in on at to for from with without into about after before than as not never ever
    always often sometimes usually daily weekly lot lots too very so then again still just only also even now
    today add agree allow ask asks ate avoid avoids bake begin believe bite bought break bring broke build buy
    buys call came can't care carried carries carry catch change choose collect collected come consider cook
    cope cough could cover cried cry dance decide did die died drank draw drink drinks drive eat eats enjoy
    enjoys explain faint fainted fall feel feels fell felt find follow found freak gag gave get gets getting
    give gives go goes going gone got grew grow hate hated hates hear help hide hold hope improve itch itches
    keep kept know knows laugh learn leave left let like liked likes listen live lives look lose lost love loved
    loves made make makes mean miss move moved need needed needs own owned owns pay play played plays prefer
    prefers put puke ran react reacted reacts read reads receive remember ride run runs said sat saw say says
    scream screams screamed see sees sell send set shake show shows sing sit skip sleep smoke sneeze sneezes
    speak spend stand start started stay stop stopped struggle study stung suffer suffers swear swell swells
    swim swollen take takes talk taught teach tell tend think thinks threw throw told took travel travels tried
    tries try turn turned understand use used uses visit vomit vomits wait walk walked walks want wanted wants
    watch watched wear wears went wheeze win wish woke wonder work worked works worry write writes wrote""".split()
)
_DETERMINERS = frozenset("a an the my your his her our their some any each every no".split())

_SAYS_ON = frozenset(  # what begins no thing, and goes on about one: an adverb, a preposition
    """about above across actually after again against all alone along already also always among and any anything
    anywhere are around as at away back be because been before behind below best better between both but by called
    can considered could currently daily definitely despite done down downstairs during each either elsewhere enough
    ever every everyone everywhere few for fridays from gone had has have he here how if in indeed inside instead is
    it just last late lately later least less like many maybe mondays monthly more most much must named near neither
    never next nightly no nobody none nothing now of off often on once only or otherwise out outside over past
    perhaps pretty probably quite rarely rather really same saturdays seldom she so solid some something sometimes
    somewhere soon still sundays than that there there's these they this those through throughout thursdays to today
    tomorrow tonight too towards tuesdays twice under until up upstairs usually very was we wednesdays weekly what
    when where whether who who's why will with without worse worst worth would wrong yesterday yet you""".split()
)
_SUCH = frozenset(  # what a thing may be, or be a part of its name: cold, and cold brew
    """able alive amazing asleep awake awesome awful bad big bland boring bought bright brilliant broke broken
    built busy caught cheap chosen clean close cold cool crap crowded cut dead delayed different difficult
    dirty driven dull dumb early easy eaten empty excellent expensive extinct fabulous fallen fantastic far
    fast fine first forgotten found free fresh frozen full fun funny given good great grown happy hard
    healthy heavy hidden high hot huge hungry hurt ill incredible interesting kept known large lazy left
    local long lost loud lovely low made mean mental met missing nearby neat new nice ok okay old online
    open overpriced packed paid perfect poor pregnant put rare read ready rich right rubbish run sad safe
    scary second seen sent set shown shut sick silly simple slow small soft sold spent stolen strange strong
    stuck stupid sublime sung sweet taken tall taught terrible third thrown tiny told top torn tough true
    ugly unique unwell weak weird wet wild won worn written young yours yum""".split()
)
_SUCH_ENDING = re.compile(r"\w{3,}(?:ed|ful|ous|able|ible|less)")
_HOW = re.compile(r"\w{3,}ly|\w{2,}est|(?:mon|tues|wednes|thurs|fri|satur|sun)days?")
_THINGS_YET = frozenset(  # what ends like an adverb, a participle or a superlative, and is a thing
    """belly butterfly chest dragonfly family firefly forest harvest holly jelly lily monopoly northwest quest vest
    seaweed tumbleweed vegetable darjeeling dumpling evening herring icing lightning morning pudding spring sterling
    string stuffing""".split()
)
_NUMBER = re.compile(r"\d|(?:one|two|three|four|five|six|seven|eight|nine|ten)\b")
_NO_KINDS = frozenset(
    """bit call choice deal disaster fun guess joke kind lot mess mile money must mystery news one ones pain place point
    problem question secret shame sort spot thing tie time trouble value way while""".split()
)
_DOING = re.compile(r"\w{2,}ing")
_EATEN = frozenset("dessert dish drink food ingredient meal snack sweet treat wine".split())
_NAMED = frozenset(  # "my favourite book is a classic" tells no favourite, "my favourite animal is a dog" does
    """actor actress album artist author band bar book cafe city club comedian country film game movie novel player
    podcast poet pub restaurant series shop show singer song teacher team writer""".split()
)
_DONE = frozenset("hobby sport activity pastime exercise workout subject".split())


def is_name(text: str) -> bool:
    """Whether what follows "I'm" can be a name: what a person is, or does, is none."""
    said = text.casefold()
    return said not in _NO_NAMES and (said in _NAMES_LIKE_PEOPLE or not _PEOPLE.fullmatch(said))


def is_bare(text: str) -> bool:
    """Whether what follows "and" in a list is a thing of that list, and not what the sentence says next."""
    words = text.split()
    if not 1 <= len(words) <= 2 or any(word.casefold() in _NO_NOUNS for word in words):
        return False
    first, last = words[0], words[-1]
    if first is last:
        return True
    said = first[0].isupper() and last.islower() and last.endswith("s")  # "Tom sings"
    return not said and last.casefold() not in _DETERMINERS and not last.endswith("ly")


def is_favourite(kind: str, text: str) -> bool:
    """Whether a favourite has a name or is a thing; "closed", "playing in Rome" and "on TV" are neither."""
    words = text.split()
    if not text.removeprefix("the ")[:1].islower():
        return True
    sort = kind.rsplit(maxsplit=1)[-1].casefold()
    if words[0] in _DETERMINERS:
        return not (words[0] in ("a", "an") and sort in _NAMED) and _is_thing(words[1:], sort)
    return (_is_doing(words[0]) and sort in _DONE) or _is_thing(words, sort)


def _is_thing(words: list[str], sort: str) -> bool:
    """Whether words are a thing: how it is may come first, as in "cold brew", but does not stand alone."""
    if not words or (head := words[0].casefold()) in _SAYS_ON | _DETERMINERS | _NO_KINDS:
        return False
    if head in _THINGS_YET:
        return True
    if _HOW.fullmatch(head) or (_is_doing(head) and sort not in _EATEN):
        return False
    such = head in _SUCH or _SUCH_ENDING.fullmatch(head) or _is_doing(head)
    return not such or (not _NUMBER.match(" ".join(words[1:])) and _is_thing(words[1:], sort))


def _is_doing(word: str) -> bool:
    return bool(_DOING.fullmatch(word)) and word not in _THINGS_YET
